#include "trees/binning.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace imputedb {
namespace {

constexpr std::size_t kSample = 2048;      // rows that quantiles are taken from
constexpr std::size_t kKeySample = 65536;  // rows that are examined before a column is called a key
constexpr std::size_t kRun = 256;          // values that are coded together

// Sorts values. Integers of a small range are counted, which is several times faster than comparisons.
void sort(std::vector<double>& values, bool integral) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = values.empty() ? 0 : *low, range = values.empty() ? 0 : *high - least;
  if (!integral || !(range < 4 * static_cast<double>(values.size()))) {
    std::sort(values.begin(), values.end());
    return;
  }
  std::vector<std::uint32_t> counts(static_cast<std::size_t>(range) + 1);
  for (const double value : values) ++counts[static_cast<std::size_t>(value - least)];
  auto out = values.begin();
  for (std::size_t step = 0; step < counts.size(); ++step)
    out = std::fill_n(out, counts[step], least + static_cast<double>(step));
}

std::vector<double> sample_of(const Column& column, std::size_t size) {
  std::vector<double> values;
  const std::size_t step = std::max<std::size_t>(1, column.rows / std::max<std::size_t>(size, 1));
  values.reserve(column.rows / step + 1);
  column.visit([&](const auto* v) {
    for (std::size_t i = 0; i < column.rows; i += step)
      if (!column.is_missing(i) && !std::isnan(static_cast<double>(v[i]))) values.push_back(static_cast<double>(v[i]));
  });
  sort(values, column.integral());
  return values;
}

template <class Value>
std::vector<Value> uppers(const std::vector<Value>& sorted, int bins) {
  std::vector<Value> distinct;
  for (const Value v : sorted) {
    if (distinct.empty() || v != distinct.back()) distinct.push_back(v);
    if (distinct.size() > static_cast<std::size_t>(bins)) break;
  }
  if (distinct.size() <= static_cast<std::size_t>(bins)) return distinct;
  std::vector<Value> out;
  for (int b = 1; b <= bins; ++b) {
    const Value v = sorted[std::min(sorted.size() - 1, sorted.size() * b / bins)];
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

template <class Value>
bool all_differ(const std::vector<Value>& sorted) {
  return sorted.size() > 1 && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

// Codes a run of rows from `begin` on, and adds its values to the moments and the range.
template <class Value>
void take(const Column& column, const Value* v, std::size_t begin, const Encoder& coder, Moments& moments,
          Binned& out) {
  const std::size_t n = std::min(kRun, column.rows - begin);
  std::array<double, kRun> values;
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<double>(v[begin + i]);
  const std::span<std::uint8_t> codes(out.codes.data() + begin, n);
  coder.code(std::span(values).first(n), codes);
  for (std::size_t i = 0; i < n; ++i) {
    if ((column.missing != nullptr && column.missing[begin + i] != 0) || std::isnan(values[i])) {
      codes[i] = 0;
      continue;
    }
    if (begin + i < out.fitted_rows && std::isfinite(values[i])) {
      moments.sum[codes[i]] += values[i];
      ++moments.count[codes[i]];
    }
    if (begin + i >= out.fitted_rows) continue;
    const auto row = static_cast<std::uint32_t>(begin + i);
    if (out.lowest == kNoRow || v[row] < v[out.lowest]) out.lowest = row;
    if (out.highest == kNoRow || v[row] > v[out.highest]) out.highest = row;
  }
}

Binned ordered(const Column& column, int max_bins, std::size_t fitted_rows) {
  Binned out;
  out.fitted_rows = fitted_rows;
  Column head = column;
  head.rows = fitted_rows;
  std::vector<double> sample = sample_of(head, kSample);
  if (sample.empty()) sample = sample_of(head, fitted_rows);
  out.upper = uppers(sample, std::min(max_bins, kMaxBins - 1));
  out.codes.resize(column.rows);
  Moments moments{std::vector<double>(out.upper.size() + 1), std::vector<std::uint32_t>(out.upper.size() + 1)};
  out.key = column.integral() && all_differ(sample) && all_differ(sample_of(head, kKeySample));
  const Encoder coder(out, column.integral(), column.rows);
  column.visit([&](const auto* v) {
    for (std::size_t begin = 0; begin < column.rows; begin += kRun) take(column, v, begin, coder, moments, out);
  });
  finish(out, moments);
  if (out.lowest != kNoRow) {
    out.low = column.at(out.lowest);
    out.high = column.at(out.highest);
  }
  return out;
}

Binned categories(const Column& column, int max_bins, std::size_t fitted_rows) {
  Binned out;
  out.fitted_rows = fitted_rows;
  out.nominal = true;
  out.graded = column.graded;
  std::unordered_map<std::int64_t, std::uint32_t> counts;
  for (std::size_t i = 0; i < fitted_rows; ++i)
    if (!column.is_missing(i)) ++counts[column.category(i)];
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
    const std::int64_t level = column.category(i);
    const auto found = places.find(level);
    if (found == places.end() && i >= fitted_rows && !counts.contains(level)) continue;
    const std::uint8_t code = found == places.end() ? static_cast<std::uint8_t>(bins) : found->second;
    out.codes[i] = code;
    if (i < fitted_rows) ++moments.count[code];
  }
  finish(out, moments);
  out.key = counts.size() > 1 && counts.size() == out.observed;
  return out;
}

// The sorted ranks of a systematic sample of about `size` rows, without missing ones.
std::vector<std::uint16_t> sample_of(const Ranks& ranks, std::span<const std::uint16_t> rows, std::size_t size) {
  const std::size_t step = std::max<std::size_t>(1, rows.size() / std::max<std::size_t>(size, 1));
  std::vector<std::uint32_t> counts(ranks.values.size());
  for (std::size_t i = 0; i < rows.size(); i += step) ++counts[rows[i]];
  std::vector<std::uint16_t> out;
  for (std::size_t rank = 1; rank < counts.size(); ++rank)
    out.insert(out.end(), counts[rank], static_cast<std::uint16_t>(rank));
  return out;
}

std::vector<std::uint16_t> picked(const Column& column) {
  std::vector<std::uint16_t> out(column.rows);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = column.ranks->ranks[static_cast<std::size_t>(column.places[i])];
  return out;
}

// Codes all rows by rank, and sums the moments of those that are learnt from.
void take(const Ranks& ranks, std::span<const std::uint16_t> rows, std::span<const std::uint8_t> bins, Binned& out) {
  out.codes.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) out.codes[i] = bins[rows[i]];
  const std::size_t width = static_cast<std::size_t>(*std::max_element(bins.begin(), bins.end())) + 1;
  Moments moments{std::vector<double>(width), std::vector<std::uint32_t>(width)};
  for (std::size_t i = 0; i < out.fitted_rows; ++i) {  // sums of code 0, for missing cells, are not read
    const double value = ranks.values[rows[i]];
    if (!ranks.finite && !std::isfinite(value)) continue;
    moments.sum[out.codes[i]] += value;
    ++moments.count[out.codes[i]];
  }
  if (out.nominal) std::fill(moments.sum.begin(), moments.sum.end(), 0.0);
  finish(out, moments);
}

Binned ordered(const Ranks& ranks, std::span<const std::uint16_t> rows, int max_bins, std::size_t fitted_rows) {
  Binned out;
  out.fitted_rows = fitted_rows;
  const auto head = rows.first(fitted_rows);
  std::vector<std::uint16_t> sample = sample_of(ranks, head, kSample);
  if (sample.empty()) sample = sample_of(ranks, head, fitted_rows);
  const std::vector<std::uint16_t> upper = uppers(sample, std::min(max_bins, kMaxBins - 1));
  out.key = ranks.integral && all_differ(sample) && all_differ(sample_of(ranks, head, kKeySample));
  std::vector<std::uint8_t> bins(ranks.values.size());
  std::size_t bin = 0;
  for (std::size_t rank = 1; rank < bins.size(); ++rank) {
    while (bin + 1 < upper.size() && upper[bin] < rank) ++bin;
    bins[rank] = static_cast<std::uint8_t>(bin + 1);
  }
  for (const std::uint16_t rank : upper) out.upper.push_back(ranks.values[rank]);
  take(ranks, rows, bins, out);
  return out;
}

// The most frequent categories have bins of their own, all rarer ones share one.
Binned categories(const Ranks& ranks, std::span<const std::uint16_t> rows, int max_bins, std::size_t fitted_rows) {
  Binned out;
  out.fitted_rows = fitted_rows;
  out.nominal = true;
  out.graded = ranks.graded;
  std::vector<std::uint32_t> counts(ranks.values.size());
  for (const std::uint16_t rank : rows.first(fitted_rows)) ++counts[rank];
  std::vector<std::uint16_t> seen;
  for (std::size_t rank = 1; rank < counts.size(); ++rank)
    if (counts[rank] > 0) seen.push_back(static_cast<std::uint16_t>(rank));
  std::stable_sort(seen.begin(), seen.end(), [&](auto a, auto b) { return counts[a] > counts[b]; });
  const std::size_t own = std::min<std::size_t>(seen.size(), static_cast<std::size_t>(std::min(max_bins, kMaxBins - 2)));
  std::vector<std::uint8_t> bins(ranks.values.size());
  for (std::size_t place = 0; place < seen.size(); ++place) {
    bins[seen[place]] = static_cast<std::uint8_t>(std::min(place, own) + 1);
    if (place < own) out.levels.push_back(static_cast<std::int64_t>(ranks.values[seen[place]]));
  }
  take(ranks, rows, bins, out);
  out.key = seen.size() > 1 && seen.size() == out.observed;
  return out;
}

}  // namespace

Encoder::Encoder(const Binned& binned, bool integral, std::size_t rows) {
  if (binned.upper.empty()) return;
  const std::vector<double>& upper = binned.upper;
  while (width_ < upper.size()) width_ *= 2;
  upper_.fill(std::numeric_limits<double>::infinity());
  std::copy(upper.begin(), upper.end(), upper_.begin());
  last_ = upper.size() - 1;
  const double range = upper.back() - upper.front();
  constexpr double kExact = 4503599627370496.0;  // 2^52: beyond, neighbouring integers are one double
  low_ = upper.front();
  if (!integral || !(range < 65536) || range > static_cast<double>(rows)) return;
  if (std::abs(low_) > kExact || std::abs(upper.back()) > kExact) return;
  std::size_t bin = 0;
  for (int place = 0; place <= static_cast<int>(range); ++place) {
    while (upper[bin] < low_ + place) ++bin;
    table_.push_back(static_cast<std::uint8_t>(bin + 1));
  }
}

void Encoder::code(std::span<const double> values, std::span<std::uint8_t> codes) const {
  if (!table_.empty()) {
    const double last = static_cast<double>(table_.size() - 1);
    for (std::size_t i = 0; i < values.size(); ++i)
      codes[i] = table_[static_cast<std::size_t>(std::clamp(values[i] - low_, 0.0, last))];
    return;
  }
  std::array<std::uint32_t, kRun> bin{};
  for (std::size_t step = width_ / 2; step > 0; step /= 2)
    for (std::size_t i = 0; i < values.size(); ++i)
      bin[i] += static_cast<std::uint32_t>(upper_[bin[i] + step - 1] < values[i]) * static_cast<std::uint32_t>(step);
  for (std::size_t i = 0; i < values.size(); ++i)
    codes[i] = static_cast<std::uint8_t>(std::min<std::size_t>(bin[i], last_) + 1);
}

Binned binned(const Column& column, int max_bins, std::size_t fitted_rows) {
  if (column.ranks != nullptr) {
    const std::vector<std::uint16_t> rows = picked(column);
    return column.nominal ? categories(*column.ranks, rows, max_bins, fitted_rows)
                          : ordered(*column.ranks, rows, max_bins, fitted_rows);
  }
  return column.nominal ? categories(column, max_bins, fitted_rows) : ordered(column, max_bins, fitted_rows);
}

}  // namespace imputedb
