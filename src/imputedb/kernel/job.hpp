// What is asked of one draw, and its tasks.
#pragma once

#include <atomic>
#include <span>

#include "chain.hpp"
#include "pool.hpp"

namespace imputedb {

constexpr std::size_t kChunk = 1 << 16;  // rows of one task

struct Job {
  std::span<const Column> columns;
  std::span<const Target> targets;
  const Marks& marks;
  const std::vector<Binned>& binned;  // by column, as it is stored

  const Column& column(const Target& target) const { return columns[static_cast<std::size_t>(target.place)]; }
  const Binned& codes(const Target& target) const { return binned[static_cast<std::size_t>(target.place)]; }
  std::size_t rows() const { return columns.empty() ? 0 : columns[0].rows; }

  Lesson lesson(const Target& target, const Settings& settings, const std::atomic<bool>& stop) const {
    return {binned, column(target), target.place, marks, settings, target.train_rows, stop};
  }
};

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
