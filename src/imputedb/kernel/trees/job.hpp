// The inputs of all draws, and the tasks of one.
#pragma once

#include <atomic>
#include <span>

#include "trees/chain.hpp"
#include "shared/pool.hpp"

namespace imputedb {

constexpr std::size_t kChunk = 1 << 16;  // rows of one task

// Columns that are missing together with a target, flagged by place. `barred` ones are missing in all rows that miss
// the target, and no model uses them. `some` are used only for rows that have them. Both are empty if there are none.
struct JointlyMissing {
  std::vector<std::uint8_t> barred, some;
  std::size_t most;  // largest number of rows that the model of all columns learns from
};

struct Job {
  std::span<const Column> columns;
  std::span<const Target> targets;
  const Marks& marks;
  const std::vector<Binned>& binned;  // by column, the stored values

  const Column& column(const Target& target) const { return columns[static_cast<std::size_t>(target.place)]; }
  const Binned& codes(const Target& target) const { return binned[static_cast<std::size_t>(target.place)]; }
  std::size_t rows() const { return columns.empty() ? 0 : columns[0].rows; }

  TrainingData training_data(const Target& target, std::size_t most, const Settings& settings,
                             const std::atomic<bool>& stop, std::vector<std::uint8_t> barred) const {
    return {binned, column(target), target.place, marks, settings, most, stop, std::move(barred)};
  }

  // Columns that are missing together with a target, but rarely where the target is observed. Models are fitted there,
  // so one that relies on such columns is uninformative for rows that miss them. Drawn columns are left out, as they
  // have values in those rows.
  JointlyMissing jointly_missing(const Target& target, const Settings& settings) const;
};

// Whether a row misses a third or more of the flagged columns; if it misses fewer, the model of all columns is used.
inline bool misses(std::span<const std::uint8_t* const> codes, std::span<const std::uint8_t> of, std::size_t row) {
  std::size_t all = 0, missing = 0;
  for (std::size_t c = 0; c < of.size(); ++c) {
    all += of[c] != 0;
    missing += of[c] != 0 && codes[c][row] == 0;
  }
  return missing > 0 && 3 * missing >= all;
}

// Tasks on a pool, until they are asked to stop.
class Tasks {
 public:
  Tasks(Pool& pool, const Progress& progress, std::size_t total) : pool_(pool), progress_(progress), total_(total) {}

  template <class F>
  void each(std::size_t count, F&& task) {
    pool_.run(
        count,
        [&](std::size_t i) {
          if (!stop_) task(i);
        },
        [this] { ask(); });
  }

  void advance(std::size_t steps) {
    done_ += steps;
    ask();
  }

  const std::atomic<bool>& stop() const { return stop_; }

 private:
  void ask() {
    if (!stop_ && progress_(static_cast<double>(done_) / static_cast<double>(total_))) stop_ = true;
  }

  Pool& pool_;
  const Progress& progress_;
  std::atomic<bool> stop_{false};
  std::size_t done_ = 0, total_;
};

}  // namespace imputedb
