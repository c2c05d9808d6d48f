// Functions of one row: a linear part and trees, summed from left to right in doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace imputedb {

// A node of a tree. A missing value has a direction of its own; others go left if they are small enough or, where there
// is a set, if their level is in it. The right node follows the left one. A leaf has no feature, and its value as
// threshold.
struct Split {
  double threshold = 0;
  std::int32_t feature = -1;
  std::int32_t left = 0;
  std::int32_t set = -1;  // where its words begin
  bool missing_left = false;
};

// Trees one after another.
struct Forest {
  std::vector<std::int32_t> roots;
  std::vector<Split> nodes;
  std::vector<std::uint64_t> sets;  // bit k of the words of a set: whether level k goes left

  bool left(const Split& node, double value) const {
    if (value != value) return node.missing_left;
    return node.set < 0 ? value <= node.threshold : among(node, value);
  }

  bool among(const Split& node, double value) const {
    const auto level = static_cast<std::uint64_t>(value);
    return (sets[static_cast<std::size_t>(node.set) + level / 64] >> (level % 64)) & 1;
  }

  // The node after another one for a value.
  std::int32_t next(const Split& node, double value) const { return node.left + !left(node, value); }
};

// What one feature adds: slope x (value - centre), or its level's step; something else where it is missing.
struct Term {
  std::int32_t feature = 0;
  std::int32_t steps = -1;  // where its steps begin; -1 of a number
  double centre = 0, slope = 0, absent = 0;
};

struct Scorer {
  double intercept = 0;
  std::vector<Term> terms;
  std::vector<double> steps;
  Forest forest;

  // The scores of some rows of a matrix with a line of `count` values a feature; false when `between` says to stop.
  bool score(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, std::span<double> out,
             int threads, const std::function<bool(double)>& between) const;

 private:
  void block(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, double* out) const;
  void trees(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, double* out) const;
};

}  // namespace imputedb
