// A column as 8-bit codes: 0 where it is missing, 1.. for quantile bins, single values or categories.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "column.hpp"

namespace imputedb {

constexpr int kMaxBins = 256;  // code 0 is missing, so at most 255 bins of values

struct Binned {
  std::vector<std::uint8_t> codes;
  std::vector<double> upper;      // largest value of bins 1..; ordered columns only
  std::vector<float> centre;      // per code: mean of the bin's observed values; of code 0 the column's mean
  std::vector<std::int64_t> levels;  // nominal columns: category of bins 1..; the last bin may hold all rarer ones
  double mean = 0, sd = 0, low = 0, high = 0;
  std::uint32_t observed = 0;
  std::uint32_t distinct = 0;  // bounded by what the bins tell apart, or exact when every value has its own bin
  bool nominal = false;
  bool key = false;  // integers or categories, every observed one different

  int bins() const { return static_cast<int>(centre.size()); }
  std::uint8_t code(double value) const;
};

// Codes of many values of one column: a look-up where they are integers of a small range.
class Coder {
 public:
  Coder(const Binned& binned, bool integral);
  std::uint8_t code(double value) const {
    if (table_.empty()) return binned_->code(value);
    const double place = value - low_;
    if (place <= 0) return table_.front();
    return place < static_cast<double>(table_.size()) ? table_[static_cast<std::size_t>(place)] : table_.back();
  }

 private:
  const Binned* binned_;
  double low_ = 0;
  std::vector<std::uint8_t> table_;
};

Binned binned(const Column& column, int max_bins);

}  // namespace imputedb
