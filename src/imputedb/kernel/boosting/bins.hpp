// Bins of features: codes of one byte, in the order of the values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// The bins of one feature. The most frequent levels of a category have bins of their own; all others share the last
// one, which is never chosen to go left. The code after the last bin stands for a missing value.
struct Bins {
  static constexpr int kMost = 254;

  bool nominal = false;
  int count = 0;
  std::vector<double> upper;         // for numbers: the largest value of each bin but the last
  std::vector<std::int32_t> levels;  // for categories: the level of each bin; -1 for the shared one
  std::vector<std::uint8_t> code_of; // for categories: the code of each level

  std::uint8_t code(double value) const;
};

Bins bins_of(std::span<const double> values, std::span<const double> weight, int levels);

}  // namespace imputedb
