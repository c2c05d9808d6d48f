// Chained equations: every target modelled from all other columns, cycle after cycle.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "trees/model.hpp"

namespace imputedb {

// A column to fill: its place among all, how many rows it is learnt from at most, and whether its values are drawn or
// predicted. Drawn ones feed the models of other drawn ones.
struct Target {
  int place;
  std::size_t train_rows;
  bool drawn;
};

struct Fitted {
  Kind kind = Kind::centre;
  double error = 1;
  std::vector<int> predictors;
};

// How a draw moved: after its start and each cycle (w + 1, w + 1) mean products of ones and the codes of the watched
// columns, over some of the rows that are learnt from.
struct Moved {
  std::vector<int> watched;  // places of columns
  std::vector<double> moments;
};

struct Report {
  int cycles = 0;
  std::vector<Fitted> targets;
  Moved moved;
};

// Called on the caller's thread with the share that is done; true asks to stop.
using Between = std::function<bool(double)>;

// Fills the outputs, one a draw and target, draw after draw by their numbers: a value a missing cell, in row order, of
// the column's own type. False when it was stopped. What draws share is prepared once, and draws are spread over
// threads. The report is of the first draw, but for how each draw moved.
bool filled(std::span<const Column> columns, std::span<const Target> targets, std::span<void* const> outputs,
            std::span<const std::uint64_t> draws, const Marks& marks, const Settings& settings, const Between& between,
            Report& report, std::vector<Moved>& moved);

}  // namespace imputedb
