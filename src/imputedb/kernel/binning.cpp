#include "binning.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace imputedb {
namespace {

constexpr std::size_t kSample = 65536;  // rows that quantiles are taken from

std::vector<double> sample_of(const Column& column) {
  std::vector<double> values;
  const std::size_t step = std::max<std::size_t>(1, column.rows / kSample);
  values.reserve(column.rows / step + 1);
  column.visit([&](const auto* v) {
    for (std::size_t i = 0; i < column.rows; i += step)
      if (!column.is_missing(i) && !std::isnan(static_cast<double>(v[i]))) values.push_back(static_cast<double>(v[i]));
  });
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<double> uppers(const std::vector<double>& sorted, int bins) {
  std::vector<double> distinct;
  for (double v : sorted) {
    if (distinct.empty() || v != distinct.back()) distinct.push_back(v);
    if (distinct.size() > static_cast<std::size_t>(bins)) break;
  }
  if (distinct.size() <= static_cast<std::size_t>(bins)) return distinct;
  std::vector<double> out;
  for (int b = 1; b <= bins; ++b) {
    const double v = sorted[std::min(sorted.size() - 1, sorted.size() * b / bins)];
    if (out.empty() || v > out.back()) out.push_back(v);
  }
  return out;
}

struct Moments {
  std::vector<double> sum;
  std::vector<std::uint32_t> count;
};

void finish(Binned& out, const Moments& moments) {
  double sum = 0;
  std::uint32_t n = 0, used = 0;
  for (std::size_t b = 1; b < moments.sum.size(); ++b) {
    sum += moments.sum[b];
    n += moments.count[b];
    used += moments.count[b] > 0;
  }
  out.observed = n;
  out.distinct = used;
  out.mean = n ? sum / n : 0;
  out.centre.assign(moments.sum.size(), static_cast<float>(out.mean));
  double spread = 0;
  for (std::size_t b = 1; b < moments.sum.size(); ++b) {
    if (moments.count[b] == 0) continue;
    const double centre = moments.sum[b] / moments.count[b];
    out.centre[b] = static_cast<float>(centre);
    spread += moments.count[b] * (centre - out.mean) * (centre - out.mean);
  }
  out.sd = n ? std::sqrt(spread / n) : 0;
}

Binned ordered(const Column& column, int max_bins) {
  Binned out;
  const std::vector<double> sample = sample_of(column);
  out.upper = uppers(sample, std::min(max_bins, kMaxBins - 1));
  out.codes.resize(column.rows);
  Moments moments{std::vector<double>(out.upper.size() + 1), std::vector<std::uint32_t>(out.upper.size() + 1)};
  out.low = std::numeric_limits<double>::infinity();
  out.high = -out.low;
  bool distinct = column.integral() && sample.size() > 1;
  for (std::size_t i = 1; distinct && i < sample.size(); ++i) distinct = sample[i] != sample[i - 1];
  out.key = distinct;
  const Coder coder(out, column.integral());
  column.visit([&](const auto* v) {
    for (std::size_t i = 0; i < column.rows; ++i) {
      const double value = static_cast<double>(v[i]);
      if ((column.missing != nullptr && column.missing[i] != 0) || std::isnan(value)) {
        out.codes[i] = 0;
        continue;
      }
      const std::uint8_t code = coder.code(value);
      out.codes[i] = code;
      if (std::isfinite(value)) {
        moments.sum[code] += value;
        ++moments.count[code];
      }
      out.low = std::min(out.low, value);
      out.high = std::max(out.high, value);
    }
  });
  finish(out, moments);
  return out;
}

Binned categories(const Column& column, int max_bins) {
  Binned out;
  out.nominal = true;
  std::unordered_map<std::int64_t, std::uint32_t> counts;
  for (std::size_t i = 0; i < column.rows; ++i)
    if (!column.is_missing(i)) ++counts[static_cast<std::int64_t>(column.at(i))];
  std::vector<std::pair<std::uint32_t, std::int64_t>> ranked;
  for (const auto& [level, count] : counts) ranked.emplace_back(count, level);
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  const std::size_t own = std::min<std::size_t>(ranked.size(), std::min(max_bins, kMaxBins - 2));
  std::unordered_map<std::int64_t, std::uint8_t> places;
  for (std::size_t b = 0; b < own; ++b) {
    places[ranked[b].second] = static_cast<std::uint8_t>(b + 1);
    out.levels.push_back(ranked[b].second);
  }
  const std::size_t bins = own + (ranked.size() > own ? 1 : 0);
  Moments moments{std::vector<double>(bins + 1), std::vector<std::uint32_t>(bins + 1)};
  out.codes.assign(column.rows, 0);
  for (std::size_t i = 0; i < column.rows; ++i) {
    if (column.is_missing(i)) continue;
    const auto found = places.find(static_cast<std::int64_t>(column.at(i)));
    const std::uint8_t code = found == places.end() ? static_cast<std::uint8_t>(bins) : found->second;
    out.codes[i] = code;
    ++moments.count[code];
  }
  finish(out, moments);
  out.key = counts.size() > 1 && counts.size() == out.observed;
  return out;
}

}  // namespace

Coder::Coder(const Binned& binned, bool integral) : binned_(&binned) {
  if (!integral || binned.nominal || binned.upper.empty()) return;
  const double range = binned.upper.back() - binned.upper.front();
  constexpr double kExact = 4503599627370496.0;  // 2^52: beyond, neighbouring integers are one double
  low_ = binned.upper.front();
  if (!(range < 65536) || std::abs(low_) > kExact || std::abs(binned.upper.back()) > kExact) return;
  for (int place = 0; place <= static_cast<int>(range); ++place) table_.push_back(binned.code(low_ + place));
}

std::uint8_t Binned::code(double value) const {
  if (nominal) {
    for (std::size_t b = 0; b < levels.size(); ++b)
      if (static_cast<double>(levels[b]) == value) return static_cast<std::uint8_t>(b + 1);
    return static_cast<std::uint8_t>(bins() - 1);
  }
  const auto place = std::lower_bound(upper.begin(), upper.end(), value) - upper.begin();
  return static_cast<std::uint8_t>(std::min<std::size_t>(place, upper.size() - 1) + 1);
}

Binned binned(const Column& column, int max_bins) {
  Binned out = column.nominal ? categories(column, max_bins) : ordered(column, max_bins);
  if (out.low > out.high) out.low = out.high = 0;
  return out;
}

}  // namespace imputedb
