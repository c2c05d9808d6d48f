#include "trees/donors.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace imputedb {
namespace {

constexpr int kFewestDonors = 5;
constexpr std::size_t kRowsPerSlope = 5;  // complete rows needed for each coefficient; with fewer, all rows are used
constexpr double kBent = 2.5;  // standard errors between mean residuals above which a line does not explain a split
constexpr std::size_t kViews = 3;         // frequent classes whose shares encode a nominal predictor in the lines

void learn_from(const TrainingData& training_data, Numbers numbers, DonorPool& out) {
  out.rows = std::move(numbers.rows);
  if (numbers.scale > 0) out.y = std::move(numbers.y);
  out.sample.y = out.y;
  out.sample.y.resize(out.rows.size());
  if (out.rows.size() >= kFewestRows && !out.y.empty()) out.features = predictors(training_data, out.rows, out.y);
  out.lines.push_back(out.y);
}

void learn_from(const TrainingData& training_data, Classes classes, DonorPool& out) {
  out.y = classes.indicator(0);
  const auto count = static_cast<std::size_t>(classes.count());
  for (std::size_t k = 0; k < std::min(std::max<std::size_t>(count, 2) - 1, kMostLines); ++k)  // the last is redundant
    out.lines.push_back(classes.indicator(k));
  out.of_class.resize(count);
  for (std::uint32_t i = 0; i < classes.k.size(); ++i) out.of_class[classes.k[i]].push_back(i);
  out.rows = std::move(classes.rows);
  out.sample.classes = classes.count();
  out.sample.k = std::move(classes.k);
  if (out.rows.size() >= kFewestRows && classes.count() > 1) out.features = predictors(training_data, out.rows, out.y);
}

// The rows in a bootstrap, and how often each row is in it; each once if the bootstrap is empty. In addition each class
// gets one of its rows with probability 1 / classes, one row in expectation over all (Perks' prior). Otherwise draws
// would treat a class of few rows as surely rare.
struct Picked {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint8_t> times;
  std::size_t count = 0;
};

Picked picked(const DonorPool& donor_pool, const Stream& bootstrap) {
  Picked out{std::vector<std::uint32_t>(donor_pool.rows.size()), std::vector<std::uint8_t>(donor_pool.rows.size())};
  for (std::uint64_t k = 0; k < donor_pool.of_class.size(); ++k) {
    const std::vector<std::uint32_t>& mine = donor_pool.of_class[k];
    const double turn = bootstrap.uniform(~k) * static_cast<double>(donor_pool.of_class.size());
    if (turn < 1 && !mine.empty()) ++out.times[mine[static_cast<std::size_t>(turn * static_cast<double>(mine.size()))]];
  }
  std::size_t some = 0;
  for (std::uint32_t i = 0; i < out.rows.size(); ++i) {
    out.times[i] = static_cast<std::uint8_t>(out.times[i] + poisson_one(bootstrap.uniform_of(donor_pool.keys[i])));
    out.rows[some] = i;
    some += out.times[i] > 0;
    out.count += out.times[i];
  }
  out.rows.resize(some);
  if (some > 0 || donor_pool.rows.empty()) return out;
  out.rows.resize(donor_pool.rows.size());
  std::iota(out.rows.begin(), out.rows.end(), 0U);
  std::fill(out.times.begin(), out.times.end(), std::uint8_t{1});
  out.count = out.rows.size();
  return out;
}

// The sample with the codes of features in this draw; their orders are updated.
Sample redrawn(const DonorPool& donor_pool, const std::vector<Binned>& columns, const Codes& codes,
               std::vector<Order>& orders) {
  Sample out = donor_pool.sample;
  for (std::size_t place = 0; place < donor_pool.features.size(); ++place) {
    const auto c = static_cast<std::size_t>(donor_pool.features[place]);
    if (!codes.drawn[c] || !codes.known[c]) continue;
    orders[place] = order_of(columns[c], codes.now[c], donor_pool.rows, donor_pool.y);
    put({codes.now[c], orders[place].data()}, place, donor_pool.rows, out);
  }
  return out;
}

// Fills in the rows of a bootstrap, and the range of each node.
void fill_nodes(Donors& out, const DonorPool& donor_pool, const Picked& picked) {
  constexpr std::size_t kUsual = 4;  // copies written at once; a row is rarely in a bootstrap more often
  std::vector<std::uint32_t> starts;
  out.rows.resize(picked.count + kUsual);
  std::uint32_t* to = out.rows.data();
  for (const std::uint32_t i : picked.rows) {
    starts.push_back(static_cast<std::uint32_t>(to - out.rows.data()));
    std::fill_n(to, kUsual, donor_pool.rows[i]);
    if (picked.times[i] > kUsual) std::fill_n(to, picked.times[i], donor_pool.rows[i]);
    to += picked.times[i];
  }
  starts.push_back(static_cast<std::uint32_t>(picked.count));
  out.rows.resize(picked.count);
  out.parents.resize(out.tree.nodes.size());
  for (std::uint32_t place = 0; place < out.tree.nodes.size(); ++place) {
    const Node& node = out.tree.nodes[place];
    out.ranges.push_back({starts[node.begin], starts[node.begin + node.rows]});
    if (node.feature < 0) continue;
    for (const int child : {node.left, node.right}) out.parents[static_cast<std::size_t>(child)] = place;
  }
}

// Cumulative sums of residuals and of their squares.
struct Residuals {
  std::vector<double> sums{0.0}, squares{0.0};

  void add(double residual) {
    sums.push_back(sums.back() + residual);
    squares.push_back(squares.back() + residual * residual);
  }
  double mean(const Donors::Range& range) const { return (sums[range.end] - sums[range.begin]) / range.size(); }
  double variance(const Donors::Range& range) const {
    const double mean = this->mean(range);
    return std::max(0.0, (squares[range.end] - squares[range.begin]) / range.size() - mean * mean);
  }
};

// Finds whether the residuals on both sides of each split have the same mean, within `kBent` standard errors.
void tell_straight(Donors& out, const DonorPool& donor_pool, const Picked& picked) {
  Residuals residuals;
  std::size_t place = 0;
  for (const std::uint32_t i : picked.rows)
    for (int time = 0; time < picked.times[i]; ++time) residuals.add(donor_pool.y[i] - out.line[place++]);
  out.straight.resize(out.tree.nodes.size());
  for (std::size_t at = 0; at < out.tree.nodes.size(); ++at) {
    const Node& node = out.tree.nodes[at];
    if (node.feature < 0) continue;
    const Donors::Range &left = out.ranges[static_cast<std::size_t>(node.left)],
                        &right = out.ranges[static_cast<std::size_t>(node.right)];
    const double apart = residuals.mean(left) - residuals.mean(right);
    const double variance = residuals.variance(out.ranges[at]) * (1.0 / left.size() + 1.0 / right.size());
    out.straight[at] = apart * apart <= kBent * kBent * variance;
  }
}

// Places of the rows that miss no feature; of all rows if these are few.
std::vector<std::uint32_t> complete(const DonorPool& donor_pool) {
  std::vector<std::uint32_t> out;
  const std::size_t width = donor_pool.sample.width();
  for (std::uint32_t i = 0; i < donor_pool.rows.size(); ++i) {
    const std::uint8_t* codes = donor_pool.sample.row(i);
    if (std::find(codes, codes + width, std::uint8_t{0}) == codes + width) out.push_back(i);
  }
  if (out.size() >= kRowsPerSlope * (width + 1)) return out;
  out.resize(donor_pool.rows.size());
  std::iota(out.begin(), out.end(), 0U);
  return out;
}

// The regressors of linear models, one for each view.
std::vector<Regressor> regressors_of(const DonorPool& donor_pool, const std::vector<Binned>& columns) {
  std::vector<Regressor> out;
  for (const View& view : donor_pool.views)
    out.push_back({columns[static_cast<std::size_t>(donor_pool.features[view.feature])].codes, view.z});
  return out;
}

// Encodes nominal features by the mean residuals of a linear model of the other features. Means of y alone would
// confound the effect of a category with those of features that differ between categories by chance.
void set_apart(const TrainingData& training_data, DonorPool& out) {
  const std::vector<Regressor> regressors = regressors_of(out, training_data.columns);
  CrossProducts products(regressors.size(), out.lines.size());
  accumulate(regressors, out.rows, out.lines, out.whole, products);
  const auto found = products.solve(penalty_of(out.rows.size()));
  if (found.empty()) return;
  for (View& view : out.views) {
    const Binned& column = training_data.column(out.features[view.feature]);
    if (!column.nominal) continue;
    std::vector<float> left = out.lines[view.line];
    for (std::size_t v = 0; v < regressors.size(); ++v) {
      const double slope = out.views[v].feature == view.feature ? 0.0 : found[view.line][v];
      if (slope == 0) continue;
      for (std::size_t i = 0; i < left.size(); ++i)
        left[i] -= static_cast<float>(slope * regressors[v].z[regressors[v].codes[out.rows[i]]]);
    }
    view.z = standardised(level_means(column.codes.data(), column.bins(), out.rows, left), column, out.rows);
  }
}

// Prepares the views and rows for linear predictions.
void line_up(const TrainingData& training_data, DonorPool& out) {
  bool nominal = false;
  for (std::size_t f = 0; f < out.features.size(); ++f) {
    const Binned& column = training_data.column(out.features[f]);
    const std::size_t views = column.nominal ? std::min(out.lines.size(), kViews) : 1;
    for (std::size_t k = 0; k < views; ++k) {
      Table by_code =
          column.nominal ? level_means(column.codes.data(), column.bins(), out.rows, out.lines[k]) : column.centre;
      out.views.push_back({f, k, standardised(std::move(by_code), column, out.rows)});
    }
    nominal = nominal || column.nominal;
  }
  out.whole = complete(out);
  if (nominal && out.features.size() > 1) set_apart(training_data, out);
}

// The cross-products of the rows of a bootstrap.
CrossProducts weighed(const DonorPool& donor_pool, const std::vector<Binned>& columns, const Picked& picked) {
  const std::vector<Regressor> regressors = regressors_of(donor_pool, columns);
  std::vector<std::uint32_t> places;
  for (const std::uint32_t i : donor_pool.whole) places.insert(places.end(), picked.times[i], i);
  CrossProducts out(regressors.size(), donor_pool.lines.size());
  accumulate(regressors, donor_pool.rows, donor_pool.lines, places, out);
  return out;
}

// Fits the linear model of the features that are not barred.
void predict(Donors& out, const DonorPool& donor_pool, const CrossProducts& products,
             std::span<const std::uint8_t> barred) {
  std::vector<std::uint8_t> used;
  for (const View& view : donor_pool.views) used.push_back(barred[view.feature] == 0);
  const auto found = products.solve(penalty_of(donor_pool.rows.size()), used);
  if (found.empty()) return;
  out.lines = found.size();
  out.slopes.resize(donor_pool.features.size());
  for (std::size_t v = 0; v < donor_pool.views.size(); ++v) {
    const auto& [f, line, z] = donor_pool.views[v];
    if (barred[f] != 0) continue;
    out.slopes[f].resize(z.size() * out.lines);
    for (std::size_t code = 0; code < z.size(); ++code)
      for (std::size_t k = 0; k < out.lines; ++k)
        out.slopes[f][code * out.lines + k] += static_cast<float>(z[code] * found[k][v]);
  }
}

}  // namespace

DonorPool donor_pool(const TrainingData& training_data) {
  DonorPool out;
  if (training_data.target.nominal)
    learn_from(training_data, classes(training_data), out);
  else
    learn_from(training_data, numbers(training_data), out);
  out.orders = gather(training_data, out.features, out.rows, out.y, out.sample);
  if (!out.features.empty()) line_up(training_data, out);
  for (const std::uint32_t row : out.rows) out.keys.push_back(mixed(training_data.key(row)));
  return out;
}

Donors donors(const DonorPool& donor_pool, const std::vector<Binned>& columns, const Codes& codes,
              const Stream& bootstrap, const Settings& settings) {
  Donors out;
  Picked some = picked(donor_pool, bootstrap);
  if (some.rows.empty()) return out;
  out.orders = donor_pool.orders;
  std::vector<std::uint8_t> barred;
  for (const int f : donor_pool.features) barred.push_back(!codes.known[static_cast<std::size_t>(f)]);
  const bool differs =
      std::ranges::any_of(donor_pool.features, [&](int f) { return codes.drawn[static_cast<std::size_t>(f)]; });
  const Sample own = differs ? redrawn(donor_pool, columns, codes, out.orders) : Sample{};
  const Growth growth{settings.leaves, std::min(settings.min_leaf, kFewestDonors),
                      donor_pool.sample.classes ? 4.0 : 3.0, barred};
  out.tree = grown(differs ? own : donor_pool.sample, some.rows, growth, some.times);
  fill_nodes(out, donor_pool, some);
  if (!donor_pool.views.empty()) predict(out, donor_pool, weighed(donor_pool, columns, some), barred);
  for (std::size_t f = 0; f < donor_pool.features.size(); ++f)
    out.features.push_back({codes.now[static_cast<std::size_t>(donor_pool.features[f])], nullptr});
  for (std::size_t f = 0; f < out.features.size(); ++f) out.features[f].order = out.orders[f].data();
  if (!out.slopes.empty() && out.lines == 1) {
    out.predict();
    tell_straight(out, donor_pool, some);
  }
  return out;
}

}  // namespace imputedb
