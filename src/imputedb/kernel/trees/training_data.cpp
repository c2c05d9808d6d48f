#include "trees/training_data.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "shared/random.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kScreened = 32;      // predictors that are kept if there are many more
constexpr std::size_t kScreenRows = 4096;  // rows by which they are ranked
constexpr double kLevelPrior = 4;          // prior rows at the overall mean, which a category's mean is shrunk towards
constexpr double kHeld = 0.25;

enum Use : std::uint64_t { kSampling = 1, kHolding = 2 };

std::vector<int> informative(const TrainingData& training_data) {
  std::vector<int> out;
  for (int f = 0; f < static_cast<int>(training_data.columns.size()); ++f) {
    const Binned& column = training_data.column(f);
    const bool varies = column.distinct > 1 || column.observed < column.fitted_rows;
    if (!training_data.barred.empty() && training_data.barred[static_cast<std::size_t>(f)] != 0) continue;
    if (f != training_data.place && !column.key && varies && column.distinct > 0) out.push_back(f);
  }
  return out;
}

// The sum of squares of y that a line through the bins' centres explains: squared covariance over variance.
double explained(const Binned& column, const std::vector<std::uint32_t>& rows, const std::vector<float>& y) {
  const std::size_t step = std::max<std::size_t>(1, rows.size() / kScreenRows);
  const std::vector<float> by_code =
      column.nominal ? level_means(column.codes.data(), column.bins(), rows, y) : column.centre;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t i = 0; i < rows.size(); i += step) {
    const double x = by_code[column.codes[rows[i]]];
    ++n, sx += x, sy += y[i], sxx += x * x, sxy += x * y[i];
  }
  const double variance = sxx - sx * sx / n, covariance = sxy - sx * sy / n;
  return variance > 0 ? covariance * covariance / variance : 0.0;
}

// By code of ordered categories, the level; infinity for the code that rarer ones share.
std::vector<float> steps_of(const Binned& column) {
  std::vector<float> out(static_cast<std::size_t>(column.bins()), std::numeric_limits<float>::infinity());
  for (std::size_t b = 0; b < column.levels.size(); ++b) out[b + 1] = static_cast<float>(column.levels[b]);
  return out;
}

}  // namespace

std::vector<std::uint32_t> training_rows(const TrainingData& training_data) {
  const Binned& target = training_data.column(training_data.place);
  std::size_t usable = 0;
  for (std::size_t row = 0; row < target.fitted_rows; ++row) usable += !training_data.target.is_missing(row);
  const double most = static_cast<double>(training_data.most);
  const double share = most / static_cast<double>(std::max<std::size_t>(usable, 1));
  const Stream stream(training_data.settings.seed, training_data.settings.draw_number, 0,
                      static_cast<std::uint64_t>(training_data.place), kSampling);
  std::vector<std::uint32_t> rows;
  rows.reserve(static_cast<std::size_t>(std::min<double>(static_cast<double>(usable), 1.1 * most + 64)));
  for (std::size_t row = 0; row < target.fitted_rows; ++row) {
    if (training_data.target.is_missing(row)) continue;
    if (share >= 1 || stream.uniform(training_data.key(row)) < share) rows.push_back(static_cast<std::uint32_t>(row));
  }
  return rows;
}

// Values are first divided by their largest distance from the centre, so that no square overflows.
Numbers numbers(const TrainingData& training_data) {
  Numbers out;
  out.rows = training_rows(training_data);
  const double centre = training_data.column(training_data.place).mean;
  double farthest = 0;
  std::erase_if(out.rows, [&](std::uint32_t row) {
    const double distance = std::abs(training_data.target.at(row) - centre);
    if (!std::isfinite(distance)) return true;
    farthest = std::max(farthest, distance);
    return false;
  });
  double sum = 0, squares = 0;
  out.y.reserve(out.rows.size());
  for (std::uint32_t row : out.rows) {
    const double y = farthest > 0 ? (training_data.target.at(row) - centre) / farthest : 0;
    out.y.push_back(static_cast<float>(y));
    sum += y;
    squares += y * y;
  }
  const double n = static_cast<double>(std::max<std::size_t>(out.rows.size(), 1)), offset = sum / n;
  const double deviation = std::sqrt(std::max(0.0, squares / n - offset * offset));
  out.mean = centre + offset * farthest;
  out.scale = deviation * farthest;
  for (float& y : out.y) y = deviation > 0 ? static_cast<float>((y - offset) / deviation) : 0.0F;
  return out;
}

// Codes are numbered by falling frequency, so that class 0 is the most frequent.
Classes classes(const TrainingData& training_data) {
  const Binned& target = training_data.column(training_data.place);
  Classes out;
  out.rows = training_rows(training_data);
  const int count = std::min(target.bins() - 1, kMaxClasses);
  out.shares.assign(static_cast<std::size_t>(count), 0);
  out.k.reserve(out.rows.size());
  for (std::uint32_t row : out.rows) {
    out.k.push_back(static_cast<std::uint8_t>(std::min(target.codes[row] - 1, count - 1)));
    ++out.shares[out.k.back()];
  }
  for (double& share : out.shares) share /= static_cast<double>(std::max<std::size_t>(out.rows.size(), 1));
  return out;
}

std::vector<float> Classes::indicator(std::size_t of_class) const {
  std::vector<float> out(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    out[i] = static_cast<float>((k[i] == of_class ? 1.0 : 0.0) - shares[of_class]);
  return out;
}

std::vector<int> predictors(const TrainingData& training_data, const std::vector<std::uint32_t>& rows,
                            const std::vector<float>& y) {
  const std::vector<int> all = informative(training_data);
  if (all.size() <= kScreened + kScreened / 2) return all;
  std::vector<std::pair<double, int>> ranked;
  for (int f : all) ranked.emplace_back(-explained(training_data.column(f), rows, y), f);
  std::sort(ranked.begin(), ranked.end());
  std::vector<int> best;
  for (std::size_t i = 0; i < kScreened; ++i) best.push_back(ranked[i].second);
  std::sort(best.begin(), best.end());
  return best;
}

std::vector<float> level_means(const std::uint8_t* codes, int bins, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y) {
  std::vector<double> sum(static_cast<std::size_t>(bins)), count(sum.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sum[codes[rows[i]]] += y[i];
    ++count[codes[rows[i]]];
  }
  std::vector<float> out(sum.size());
  for (std::size_t b = 0; b < sum.size(); ++b) out[b] = static_cast<float>(sum[b] / (count[b] + kLevelPrior));
  return out;
}

Order order_of(const Binned& column, const std::uint8_t* codes, const std::vector<std::uint32_t>& rows,
               const std::vector<float>& y) {
  if (!column.nominal) return kAsItIs;
  const std::vector<float> means = column.graded ? steps_of(column) : level_means(codes, column.bins(), rows, y);
  std::vector<std::uint8_t> places(means.size() - 1);
  std::iota(places.begin(), places.end(), std::uint8_t{1});
  std::stable_sort(places.begin(), places.end(), [&](std::uint8_t a, std::uint8_t b) { return means[a] < means[b]; });
  Order order{};
  for (std::size_t rank = 0; rank < places.size(); ++rank) order[places[rank]] = static_cast<std::uint8_t>(rank + 1);
  return order;
}

void put(const Feature& feature, std::size_t place, const std::vector<std::uint32_t>& rows, Sample& sample) {
  const std::size_t width = sample.width();
  for (std::size_t i = 0; i < rows.size(); ++i) sample.codes[i * width + place] = feature.order[feature.codes[rows[i]]];
}

std::vector<Order> gather(const TrainingData& training_data, const std::vector<int>& features,
                          const std::vector<std::uint32_t>& rows, const std::vector<float>& y, Sample& sample) {
  std::vector<Order> orders;
  for (int f : features) {
    const Binned& column = training_data.column(f);
    orders.push_back(order_of(column, column.codes.data(), rows, y));
    sample.bins.push_back(column.bins());
  }
  sample.codes.resize(rows.size() * features.size());
  for (std::size_t place = 0; place < features.size(); ++place)
    put({training_data.column(features[place]).codes.data(), orders[place].data()}, place, rows, sample);
  return orders;
}

std::vector<float> standardised(std::vector<float> by_code, const Binned& column,
                                const std::vector<std::uint32_t>& rows) {
  std::array<std::vector<std::uint32_t>, 2> counts;  // used in turn, so that additions do not wait for each other
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

Split split(const TrainingData& training_data, const std::vector<std::uint32_t>& rows) {
  constexpr std::uint64_t kCycle = 1;  // predictions do not depend on other targets' values, so one cycle suffices
  const Stream stream(training_data.settings.seed, training_data.settings.draw_number, kCycle,
                      static_cast<std::uint64_t>(training_data.place), kHolding);
  Split out;
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    (stream.uniform(training_data.key(rows[i])) < kHeld ? out.hold : out.grow).push_back(i);
  return out;
}

}  // namespace imputedb
