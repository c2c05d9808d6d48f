// Sums over one row: linear terms and trees, added from left to right in doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace imputedb {

// A node of a tree. A missing value has a direction of its own. Others go left if they are at most the threshold or,
// where there is a set, if their level is in it. The right child follows the left one. A leaf has feature -1, and its
// value as threshold.
struct Split {
  double threshold = 0;
  std::int32_t feature = -1;
  std::int32_t left = 0;
  std::int32_t set = -1;  // the first word of its set; -1 without one
  bool missing_left = false;
};

// Trees, one after another in shared arrays.
struct Forest {
  std::vector<std::int32_t> roots;
  std::vector<Split> nodes;
  std::vector<std::uint64_t> sets;  // words of sets; bit k of a set is 1 where level k goes left

  bool left(const Split& node, double value) const {
    if (value != value) return node.missing_left;
    return node.set < 0 ? value <= node.threshold : among(node, value);
  }

  bool among(const Split& node, double value) const {
    const auto level = static_cast<std::uint64_t>(value);
    return (sets[static_cast<std::size_t>(node.set) + level / 64] >> (level % 64)) & 1;
  }

  // The child of a node for a value.
  std::int32_t next(const Split& node, double value) const { return node.left + !left(node, value); }
};

// A linear term of one feature: slope x (value - centre), or the step of its level; `absent` where it is missing.
struct Term {
  std::int32_t feature = 0;
  std::int32_t steps = -1;  // the first of its steps; -1 for a number
  double centre = 0, slope = 0, absent = 0;
};

struct Scorer {
  double intercept = 0;
  std::vector<Term> terms;
  std::vector<double> steps;
  Forest forest;

  // The scores of some rows of a matrix with `count` values for each feature; false if `progress` asked to stop.
  bool score(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, std::span<double> out,
             int threads, const std::function<bool(double)>& progress) const;

 private:
  void block(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, double* out) const;
  void trees(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows, double* out) const;
};

}  // namespace imputedb
