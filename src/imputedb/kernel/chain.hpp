// Chained equations: every target modelled from all other columns, cycle after cycle.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model.hpp"

namespace imputedb {

// Where the values of a target's missing cells go: one place a missing cell, in row order, of the column's own type;
// and how many rows it is learnt from at most.
struct Output {
  void* values;
  std::size_t count;
  std::size_t train_rows;
};

struct Fitted {
  Kind kind = Kind::centre;
  double error = 1;
  std::vector<int> predictors;
};

struct Report {
  int cycles = 0;
  std::vector<Fitted> targets;
};

// Called on the caller's thread with the share that is done; true asks to stop.
using Between = std::function<bool(double)>;

// Fills the outputs of the targets, draw after draw by their numbers; false when it was stopped. Bins and the order of
// the targets are shared, and draws are spread over threads. The report is of the first draw.
bool filled(std::span<const Column> columns, std::span<const int> targets, std::span<const Output> outputs,
            std::span<const std::uint64_t> draws, const Marks& marks, const Settings& settings, const Between& between,
            Report& report);

}  // namespace imputedb
