// Chained equations: each target is modelled given all other columns, cycle after cycle.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "trees/model.hpp"

namespace imputedb {

// A column to fill: its place among all, the largest number of rows to learn from, and whether its values are drawn or
// predicted. Drawn targets are predictors of other drawn targets.
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

// The trace of a draw: (w + 1, w + 1) mean products of ones and the codes of watched columns, after the start and after
// each cycle, over some of the rows that are learnt from.
struct Trace {
  std::vector<int> watched;  // places of columns
  std::vector<double> moments;
};

struct Report {
  int cycles = 0;
  std::vector<Fitted> targets;
  Trace trace;
};

// A function that is called on the caller's thread with the share that is done; true asks to stop.
using Progress = std::function<bool(double)>;

// Fills the outputs, one for each draw and target: the values of missing cells in row order, of the column's own type.
// False if it was stopped. The state that draws share is prepared once, and draws are spread over threads. The report
// is that of the first draw; each draw has a trace of its own.
bool filled(std::span<const Column> columns, std::span<const Target> targets, std::span<void* const> outputs,
            std::span<const std::uint64_t> draws, const Marks& marks, const Settings& settings,
            const Progress& progress, Report& report, std::vector<Trace>& trace);

}  // namespace imputedb
