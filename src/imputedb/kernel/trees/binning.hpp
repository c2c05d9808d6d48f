// Columns as 8-bit codes: 0 for a missing value, 1.. for quantile bins, single values or categories.
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
  std::vector<double> upper;         // the largest value of bins 1..; ordered columns only
  std::vector<float> centre;         // by code, the mean of the bin's observed values; for code 0, the column's mean
  std::vector<std::int64_t> levels;  // nominal columns: the category of bins 1..; the last bin may hold all rarer ones
  double mean = 0, sd = 0, low = 0, high = 0;
  std::uint32_t lowest = kNoRow, highest = kNoRow;  // rows with the smallest and the largest value
  std::size_t fitted_rows = 0;  // number of first rows that bins are learnt from; later rows are only coded
  std::uint32_t observed = 0;  // number of observed values among the rows learnt from
  std::uint32_t distinct = 0;  // number of occupied bins; that of distinct values if each has its own bin
  bool nominal = false;
  bool graded = false;  // nominal columns: whether trees see categories in the order of their levels
  bool key = false;  // whether these are integers or categories, all different

  int bins() const { return static_cast<int>(centre.size()); }
};

// An encoder of the values of one ordered column.
class Encoder {
 public:
  Encoder(const Binned& binned, bool integral, std::size_t rows);
  // Sets codes[i] for values[i]; the code of a NaN is arbitrary.
  void code(std::span<const double> values, std::span<std::uint8_t> codes) const;

 private:
  std::array<double, kMaxBins> upper_;  // padded to a power of two, so that every search takes the same steps
  std::size_t width_ = 1;
  std::size_t last_ = 0;
  double low_ = 0;
  std::vector<std::uint8_t> table_;  // codes of integers of a small range
};

// The ranks of a column's values, from which bins of any of its rows are made without comparing values again.
struct Ranks {
  static constexpr std::size_t kMost = 65535;  // rows

  explicit Ranks(const Column& column);

  std::vector<std::uint16_t> ranks;  // by row: 0 where it is missing, 1.. in the order of the values
  std::vector<double> values;        // by rank; rank 0 has no value
  bool nominal, graded, integral, finite;
};

// The codes of all rows, by bins learnt from the first `fitted_rows` rows. A category not seen there is coded as
// missing. A column that is given by ranks has no lowest and highest row.
Binned binned(const Column& column, int max_bins, std::size_t fitted_rows);

}  // namespace imputedb
