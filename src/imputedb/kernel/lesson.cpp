#include "lesson.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "random.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kScreened = 32;      // predictors kept when there are many more
constexpr std::size_t kScreenRows = 4096;  // rows they are ranked on
constexpr double kLevelPrior = 4;          // rows of the overall mean that a category's mean is shrunk by
constexpr double kHeld = 0.25;

enum Use : std::uint64_t { kSampling = 1, kHolding = 2 };

std::vector<int> informative(const Lesson& lesson) {
  std::vector<int> out;
  for (int f = 0; f < static_cast<int>(lesson.columns.size()); ++f) {
    const Binned& column = lesson.column(f);
    const bool varies = column.distinct > 1 || column.observed < column.taught;
    if (f != lesson.place && !column.key && varies && column.distinct > 0) out.push_back(f);
  }
  return out;
}

// Squared covariance with y over the variance: what a line through the bins' centres would explain.
double explained(const Binned& column, const std::vector<std::uint32_t>& rows, const std::vector<float>& y) {
  const std::size_t step = std::max<std::size_t>(1, rows.size() / kScreenRows);
  const std::vector<float> by_code = column.nominal ? level_means(column, rows, y) : column.centre;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t i = 0; i < rows.size(); i += step) {
    const double x = by_code[column.codes[rows[i]]];
    ++n, sx += x, sy += y[i], sxx += x * x, sxy += x * y[i];
  }
  const double variance = sxx - sx * sx / n, covariance = sxy - sx * sy / n;
  return variance > 0 ? covariance * covariance / variance : 0.0;
}

// Categories have no order of their own: they take that of the target's mean.
std::vector<std::uint8_t> ordering(const std::vector<float>& means) {
  std::vector<std::uint8_t> places(means.size() - 1);
  std::iota(places.begin(), places.end(), std::uint8_t{1});
  std::stable_sort(places.begin(), places.end(), [&](std::uint8_t a, std::uint8_t b) { return means[a] < means[b]; });
  std::vector<std::uint8_t> order(means.size());
  for (std::size_t rank = 0; rank < places.size(); ++rank) order[places[rank]] = static_cast<std::uint8_t>(rank + 1);
  return order;
}

}  // namespace

std::vector<std::uint32_t> training_rows(const Lesson& lesson) {
  const Binned& target = lesson.column(lesson.place);
  std::size_t usable = 0;
  for (std::size_t row = 0; row < target.taught; ++row)
    usable += !lesson.target.is_missing(row);
  const double most = static_cast<double>(lesson.most);
  const double share = most / static_cast<double>(std::max<std::size_t>(usable, 1));
  const Stream stream(lesson.settings.seed, lesson.settings.draw_number, 0, static_cast<std::uint64_t>(lesson.place),
                      kSampling);
  std::vector<std::uint32_t> rows;
  rows.reserve(static_cast<std::size_t>(
      std::min<double>(static_cast<double>(usable), 1.1 * most + 64)));
  for (std::size_t row = 0; row < target.taught; ++row) {
    if (lesson.target.is_missing(row)) continue;
    if (share >= 1 || stream.uniform(lesson.key(row)) < share) rows.push_back(static_cast<std::uint32_t>(row));
  }
  return rows;
}

std::vector<int> predictors(const Lesson& lesson, const std::vector<std::uint32_t>& rows, const std::vector<float>& y) {
  const std::vector<int> all = informative(lesson);
  if (all.size() <= kScreened + kScreened / 2) return all;
  std::vector<std::pair<double, int>> ranked;
  for (int f : all) ranked.emplace_back(-explained(lesson.column(f), rows, y), f);
  std::sort(ranked.begin(), ranked.end());
  std::vector<int> best;
  for (std::size_t i = 0; i < kScreened; ++i) best.push_back(ranked[i].second);
  std::sort(best.begin(), best.end());
  return best;
}

std::vector<float> level_means(const Binned& column, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y) {
  std::vector<double> sum(static_cast<std::size_t>(column.bins())), count(sum.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sum[column.codes[rows[i]]] += y[i];
    ++count[column.codes[rows[i]]];
  }
  std::vector<float> out(sum.size());
  for (std::size_t b = 0; b < sum.size(); ++b) out[b] = static_cast<float>(sum[b] / (count[b] + kLevelPrior));
  return out;
}

std::vector<std::vector<std::uint8_t>> gather(const Lesson& lesson, const std::vector<int>& features,
                                              const std::vector<std::uint32_t>& rows, const std::vector<float>& y,
                                              Sample& sample) {
  std::vector<std::vector<std::uint8_t>> orders;
  for (int f : features) {
    const Binned& column = lesson.column(f);
    std::vector<std::uint8_t> codes(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) codes[i] = column.codes[rows[i]];
    orders.emplace_back();
    if (column.nominal) {
      orders.back() = ordering(level_means(column, rows, y));
      for (std::uint8_t& code : codes) code = orders.back()[code];
    }
    sample.codes.push_back(std::move(codes));
    sample.bins.push_back(column.bins());
  }
  return orders;
}

std::vector<float> standardised(std::vector<float> by_code, const Binned& column,
                                const std::vector<std::uint32_t>& rows) {
  std::array<std::vector<std::uint32_t>, 2> counts;  // by turns, so that one addition does not wait for the other
  counts.fill(std::vector<std::uint32_t>(by_code.size()));
  for (std::size_t i = 0; i + 1 < rows.size(); i += 2) {
    ++counts[0][column.codes[rows[i]]];
    ++counts[1][column.codes[rows[i + 1]]];
  }
  if (rows.size() % 2 == 1) ++counts[0][column.codes[rows.back()]];
  std::vector<std::uint32_t>& count = counts[0];
  for (std::size_t b = 0; b < count.size(); ++b) count[b] += counts[1][b];
  double n = 0, sum = 0, squares = 0;
  for (std::size_t b = 1; b < by_code.size(); ++b) n += count[b], sum += static_cast<double>(count[b]) * by_code[b];
  const double mean = n > 0 ? sum / n : 0;
  for (std::size_t b = 1; b < by_code.size(); ++b) squares += count[b] * (by_code[b] - mean) * (by_code[b] - mean);
  const double deviation = n > 0 ? std::sqrt(squares / n) : 0;
  const bool usable = deviation > 0 && std::isfinite(deviation);
  for (float& value : by_code) value = usable ? static_cast<float>((value - mean) / deviation) : 0.0F;
  by_code[0] = 0;
  return by_code;
}

Split split(const Lesson& lesson, const std::vector<std::uint32_t>& rows) {
  const Stream stream(lesson.settings.seed, lesson.settings.draw_number, static_cast<std::uint64_t>(lesson.cycle),
                      static_cast<std::uint64_t>(lesson.place), kHolding);
  Split out;
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    (stream.uniform(lesson.key(rows[i])) < kHeld ? out.hold : out.grow).push_back(i);
  return out;
}

}  // namespace imputedb
