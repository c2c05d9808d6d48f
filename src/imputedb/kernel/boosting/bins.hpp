// Features as small codes, in the order of their values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// The bins of one feature. A category's are its most frequent levels; all others share the last one, which never goes
// left by itself. The code after the last bin stands for a missing value.
struct Bins {
  static constexpr int kMost = 254;

  bool nominal = false;
  int count = 0;
  std::vector<double> upper;         // of a number: the largest value that belongs to each bin but the last
  std::vector<std::int32_t> levels;  // of a category: the level of each bin, -1 of the rest
  std::vector<std::uint8_t> code_of; // of a category: by level

  std::uint8_t code(double value) const;
};

Bins bins_of(std::span<const double> values, std::span<const double> weight, int levels);

}  // namespace imputedb
