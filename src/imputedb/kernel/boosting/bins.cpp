#include "boosting/bins.hpp"

#include <algorithm>
#include <numeric>

namespace imputedb {
namespace {

// The upper end of a bin, between two values.
double between(double low, double high) {
  const double middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}

Bins of_numbers(std::vector<double>& seen) {
  Bins bins;
  std::sort(seen.begin(), seen.end());
  std::vector<std::size_t> ends;  // the ends of runs of equal values
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (i + 1 == seen.size() || seen[i] < seen[i + 1]) ends.push_back(i + 1);
  bins.count = 1;
  std::size_t begin = 0;
  const std::size_t wanted = std::max<std::size_t>(1, seen.size() / Bins::kMost);
  const bool few = ends.size() <= static_cast<std::size_t>(Bins::kMost);
  for (std::size_t i = 0; i + 1 < ends.size() && bins.count < Bins::kMost; ++i) {
    if (!few && ends[i] - begin < wanted) continue;
    bins.upper.push_back(between(seen[ends[i] - 1], seen[ends[i]]));
    begin = ends[i];
    ++bins.count;
  }
  return bins;
}

Bins of_levels(std::span<const double> values, std::span<const double> weight, int levels) {
  Bins bins;
  bins.nominal = true;
  std::vector<double> counts(static_cast<std::size_t>(levels), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (weight[i] > 0 && values[i] == values[i]) counts[static_cast<std::size_t>(values[i])] += weight[i];
  std::vector<std::int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return counts[a] > counts[b]; });
  const std::size_t kept = std::min<std::size_t>(order.size(), Bins::kMost - 1);
  bins.levels.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
  bins.code_of.assign(counts.size(), static_cast<std::uint8_t>(kept));
  for (std::size_t bin = 0; bin < kept; ++bin)
    bins.code_of[static_cast<std::size_t>(bins.levels[bin])] = static_cast<std::uint8_t>(bin);
  bins.levels.push_back(-1);
  bins.count = static_cast<int>(kept) + 1;
  return bins;
}

}  // namespace

std::uint8_t Bins::code(double value) const {
  if (value != value) return static_cast<std::uint8_t>(count);
  if (nominal) return code_of[static_cast<std::size_t>(value)];
  return static_cast<std::uint8_t>(std::lower_bound(upper.begin(), upper.end(), value) - upper.begin());
}

Bins bins_of(std::span<const double> values, std::span<const double> weight, int levels) {
  if (levels > 0) return of_levels(values, weight, levels);
  std::vector<double> seen;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (weight[i] > 0 && values[i] == values[i]) seen.push_back(values[i]);
  return of_numbers(seen);
}

}  // namespace imputedb
