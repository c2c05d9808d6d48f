#include <algorithm>
#include <cmath>
#include <numeric>

#include "trees/binning.hpp"

namespace imputedb {

Ranks::Ranks(const Column& column)
    : ranks(column.rows), values(1), nominal(column.nominal), graded(column.graded), integral(column.integral()) {
  std::vector<std::pair<double, std::uint32_t>> order;
  for (std::size_t row = 0; row < column.rows; ++row)
    if (!column.is_missing(row)) order.emplace_back(column.at(row), static_cast<std::uint32_t>(row));
  std::sort(order.begin(), order.end());
  for (const auto& [value, row] : order) {
    if (values.size() == 1 || value != values.back()) values.push_back(value);
    ranks[row] = static_cast<std::uint16_t>(values.size() - 1);
  }
  finite = std::isfinite(values.back()) && (values.size() == 1 || std::isfinite(values[1]));
}

}  // namespace imputedb
