// What is asked of one draw, and its tasks.
#pragma once

#include <atomic>
#include <span>

#include "trees/chain.hpp"
#include "shared/pool.hpp"

namespace imputedb {

constexpr std::size_t kChunk = 1 << 16;  // rows of one task

// Columns, flagged by place, that rows miss together with a target: those that no model may use, since no row that
// misses the target has them; and those that only rows which have them may use. Empty where there are none.
struct Together {
  std::vector<std::uint8_t> barred, some;
  std::size_t most;  // rows that the model of all columns learns from
};

struct Job {
  std::span<const Column> columns;
  std::span<const Target> targets;
  const Marks& marks;
  const std::vector<Binned>& binned;  // by column, as it is stored

  const Column& column(const Target& target) const { return columns[static_cast<std::size_t>(target.place)]; }
  const Binned& codes(const Target& target) const { return binned[static_cast<std::size_t>(target.place)]; }
  std::size_t rows() const { return columns.empty() ? 0 : columns[0].rows; }

  Lesson lesson(const Target& target, std::size_t most, const Settings& settings, const std::atomic<bool>& stop,
                std::vector<std::uint8_t> barred) const {
    return {binned, column(target), target.place, marks, settings, most, stop, std::move(barred)};
  }

  // Columns that miss together with a target: where the target is observed, which is where models learn, they hardly ever
  // do, so that a model which leans on them says nothing of those rows. Columns that are drawn have values there.
  Together together(const Target& target, const Settings& settings) const;
};

// Whether a row misses a third or more of some columns, flagged by column: with fewer it follows those that it has.
inline bool misses(std::span<const std::uint8_t* const> codes, std::span<const std::uint8_t> of, std::size_t row) {
  std::size_t all = 0, missing = 0;
  for (std::size_t c = 0; c < of.size(); ++c) {
    all += of[c] != 0;
    missing += of[c] != 0 && codes[c][row] == 0;
  }
  return missing > 0 && 3 * missing >= all;
}

// Tasks on a pool until someone asks to stop.
class Tasks {
 public:
  Tasks(Pool& pool, const Between& between, std::size_t total) : pool_(pool), between_(between), total_(total) {}

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
    if (!stop_ && between_(static_cast<double>(done_) / static_cast<double>(total_))) stop_ = true;
  }

  Pool& pool_;
  const Between& between_;
  std::atomic<bool> stop_{false};
  std::size_t done_ = 0, total_;
};

}  // namespace imputedb
