// Random draws: each target given the other columns' values in the same draw, cycle after cycle.
#pragma once

#include <optional>

#include "trees/donors.hpp"
#include "trees/job.hpp"

namespace imputedb {

// The state of a drawn column that all draws share.
struct DrawnColumn {
  std::size_t target;                   // its place among the targets
  std::vector<std::uint32_t> observed;  // observed rows among those that are learnt from
  std::vector<std::uint32_t> gaps;      // missing rows: those filled in every draw, then those of single draws
  std::vector<std::uint32_t> outputs;   // by gap, the place of its value in the output
  std::vector<std::size_t> ends;        // the end of the gaps of every draw, then of those of each draw
  std::optional<DonorPool> donor_pool;  // none if each draw learns from a sample of its own
  JointlyMissing jointly_missing;       // columns that are missing together with it
  std::optional<DonorPool> rest;        // data without some of these, for rows that miss them
};

// The shared state of a target with missing values, for these draws.
DrawnColumn drawn_column(const Job& job, std::size_t target, std::span<const std::uint64_t> draws,
                         const Settings& settings, const std::atomic<bool>& stop);

// The columns in one draw.
struct State {
  Codes codes;
  std::vector<std::vector<std::uint8_t>> own;  // by drawn column, the codes of its column in this draw
};
State stored(const Job& job);  // the columns before anything is drawn

// The number of cycles after the start. Unless it is given, it is 0 where missing values are nested, since the start is
// then a joint draw, and otherwise large enough to make the error of the start small. That error is governed by the
// second largest share of missing values, and shrinks by this factor in each cycle (measured: decisions/kernel.md).
int cycles_of(const Job& job, std::span<const DrawnColumn> drawn_columns, const Settings& settings);

// Fills the outputs of one draw, given by its position among all, and leaves its codes in the state. Decks are in the
// order of chaining: each starts from complete columns and those before it, and later from the newest values of all.
void draw(const Job& job, std::span<const DrawnColumn> drawn_columns, std::size_t position,
          std::span<void* const> outputs, const Settings& settings, Tasks& tasks, Report& report, State& state);

}  // namespace imputedb
