// A column as 8-bit codes: 0 where it is missing, 1.. for quantile bins, single values or categories.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "trees/column.hpp"

namespace imputedb {

constexpr std::uint32_t kNoRow = ~std::uint32_t{0};
constexpr int kMaxBins = 256;  // code 0 is missing, so at most 255 bins of values

struct Binned {
  std::vector<std::uint8_t> codes;
  std::vector<double> upper;         // largest value of bins 1..; ordered columns only
  std::vector<float> centre;         // per code: mean of the bin's observed values; of code 0 the column's mean
  std::vector<std::int64_t> levels;  // nominal columns: category of bins 1..; the last bin may hold all rarer ones
  double mean = 0, sd = 0, low = 0, high = 0;
  std::uint32_t lowest = kNoRow, highest = kNoRow;  // rows that hold the smallest and the largest value
  std::size_t taught = 0;      // rows that were learnt from; those after them only have codes
  std::uint32_t observed = 0;  // of the rows learnt from
  std::uint32_t distinct = 0;  // bounded by what the bins tell apart, or exact when every value has its own bin
  bool nominal = false;
  bool graded = false;  // nominal columns: whether trees see categories in the order of their levels
  bool key = false;  // integers or categories, every observed one different

  int bins() const { return static_cast<int>(centre.size()); }
};

// Codes of many values of one ordered column.
class Coder {
 public:
  Coder(const Binned& binned, bool integral, std::size_t rows);
  // codes[i] of values[i]; a NaN gets some code.
  void code(std::span<const double> values, std::span<std::uint8_t> codes) const;

 private:
  std::array<double, kMaxBins> upper_;  // padded to a power of two, so that every search takes as many steps
  std::size_t width_ = 1;
  std::size_t last_ = 0;
  double low_ = 0;
  std::vector<std::uint8_t> table_;  // of integers of a small range
};

// A whole column as the ranks of its values, of which bins of any of its rows are learnt without comparing values anew.
struct Ranks {
  static constexpr std::size_t kMost = 65535;  // rows

  explicit Ranks(const Column& column);

  std::vector<std::uint16_t> ranks;  // per row: 0 where it is missing, 1.. in the order of the values
  std::vector<double> values;        // per rank; nothing of rank 0
  bool nominal, graded, integral, finite;
};

// Bins are learnt from the first `taught` rows; all rows are coded. A category not seen there is coded as missing.
// A column that is picked from ranks has no lowest and highest row.
Binned binned(const Column& column, int max_bins, std::size_t taught);

}  // namespace imputedb
