#include "linear/imputation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "shared/normal.hpp"

namespace imputedb {
namespace {

enum Use : std::uint64_t { kNoise = 31, kTie = 32, kDonor = 33, kAmong = 34, kBootstrap = 35 };

constexpr double kTied = 1e-9;  // share of the largest prediction below which two are tied; a hash orders these

// A standard normal number of a row.
double noise(const Stream& stream, std::uint64_t row) {
  std::uint64_t word = stream.bits(row);
  return normal([&word] { return std::exchange(word, mixed(word)); });
}

}  // namespace

Imputation::Imputation(const PatternMatrix& pattern_matrix, std::span<const std::int64_t> fitted_rows,
                       std::vector<std::size_t> columns, std::span<double> x)
    : matrix_(pattern_matrix),
      fitted_rows_(fitted_rows),
      x_(x),
      kinds_(pattern_matrix.q),
      observed_kinds_(pattern_matrix.patterns()),
      posterior_(pattern_matrix.q),
      drawn_(pattern_matrix.q),
      estimates_(pattern_matrix.q),
      line_(pattern_matrix.q) {
  assign_kinds(columns);
  sum_cross_products();
}

std::size_t Imputation::missing(std::size_t column) const {
  std::size_t count = 0;
  for (std::size_t p = 0; p < matrix_.patterns(); ++p)
    if (misses(p, column)) count += end(p) - begin(p);
  return count;
}

void Imputation::assign_kinds(std::span<const std::size_t> columns) {
  for (std::size_t column : columns) {
    const auto together = [&](std::size_t other) {
      for (std::size_t p = 0; p < matrix_.patterns(); ++p)
        if (fitted_rows_[p] > 0 && misses(p, column) != misses(p, other)) return false;
      return true;
    };
    std::size_t kind = 0;
    while (kind < first_.size() && !together(first_[kind])) ++kind;
    if (kind == first_.size()) first_.push_back(column);
    kinds_[column] = kind;
  }
  for (std::size_t p = 0; p < matrix_.patterns(); ++p) {
    for (std::size_t kind = 0; kind < first_.size(); ++kind)
      if (!misses(p, first_[kind])) observed_kinds_[p].push_back(kind);
    observed_kinds_[p].push_back(first_.size());
  }
}

IMPUTEDB_WIDE void Imputation::sum_cross_products() {
  const std::size_t q = matrix_.q;
  grams_.assign((first_.size() + 1) * q * q, 0.0);
  std::vector<double> gram(q * q);
  for (std::size_t p = 0; p < matrix_.patterns(); ++p) {
    if (fitted_rows_[p] == 0) continue;
    std::fill(gram.begin(), gram.end(), 0.0);
    for (std::size_t at = begin(p); at < known(p); ++at)
      for (std::size_t i = 0; i < q; ++i)
        if (const double value = row(at)[i]; value != 0) add(value, row(at) + i, gram.data() + i * q + i, q - i);
    for (std::size_t i = 0; i < q; ++i)
      for (std::size_t j = 0; j < i; ++j) gram[i * q + j] = gram[j * q + i];
    for (std::size_t kind : observed_kinds_[p]) add(1.0, gram.data(), grams_.data() + kind * q * q, q * q);
  }
}

// Fits the regression on the rows where the column is observed, gets drawn and estimated coefficients, returns sigma.
double Imputation::fit(std::size_t column, std::uint64_t key, std::span<const std::uint8_t> barred) {
  const std::size_t q = matrix_.q;
  Generator generator(mixed(key ^ mixed(column)));
  const double* gram = grams_.data() + kinds_[column] * q * q;
  const double sigma = posterior_.fit(gram, column, &generator, drawn_.data(), barred.data());
  posterior_.estimated(estimates_.data());
  return sigma;
}

void Imputation::regress(std::size_t column, std::uint64_t key, std::span<const std::uint8_t> barred) {
  const double sigma = fit(column, key, barred);
  const Stream stream(key, 0, 0, column, kNoise);
  values_.clear();
  for (std::size_t p = 0; p < matrix_.patterns(); ++p)
    for (std::size_t at = begin(p); misses(p, column) && at < end(p); ++at)
      values_.push_back(dot(drawn_.data(), row(at), matrix_.q) + sigma * noise(stream, matrix_.keys[at]));
  put(column, values_);
}

IMPUTEDB_WIDE bool Imputation::match(std::size_t column, std::uint64_t key, std::size_t donors, bool bootstrap,
                                     std::span<const std::uint8_t> barred, std::span<std::int64_t> out) {
  fit(column, key, barred);
  learn(column, key, bootstrap);
  if (entries_.empty()) return false;
  const Stream pick(key, 0, 0, column, kDonor), among(key, 0, 0, column, kAmong);
  values_.clear();
  for (std::size_t p = 0; p < matrix_.patterns(); ++p) {
    for (std::size_t at = begin(p); misses(p, column) && at < end(p); ++at) {
      const std::uint64_t mine = matrix_.keys[at];
      const double prediction = dot(drawn_.data(), row(at), matrix_.q);
      const std::size_t donor = chosen(std::isfinite(prediction) ? prediction : 0.0, pick.uniform(mine),
                                       among.uniform(mine), donors);
      out[values_.size()] = static_cast<std::int64_t>(donor);
      values_.push_back(row(donor)[column]);
    }
  }
  put(column, values_);
  return true;
}

IMPUTEDB_WIDE void Imputation::put(std::size_t column, std::span<const double> values) {
  const std::size_t q = matrix_.q;
  std::size_t turn = 0;
  for (std::size_t p = 0; p < matrix_.patterns(); ++p) {
    if (!misses(p, column)) continue;
    std::fill(line_.begin(), line_.end(), 0.0);
    double squares = 0;
    for (std::size_t at = begin(p); at < end(p); ++at, ++turn) {
      double* x = x_.data() + at * q;
      const double before = x[column], value = values[turn];
      if (at < known(p)) {
        add(value - before, x, line_.data(), q);
        squares += value * value - before * before;
      }
      x[column] = value;
    }
    line_[column] = squares;
    for (std::size_t kind : observed_kinds_[p]) {
      double* gram = grams_.data() + kind * q * q;
      add(1.0, line_.data(), gram + column * q, q);
      for (std::size_t i = 0; i < q; ++i) gram[i * q + column] = gram[column * q + i];
    }
  }
}

// Sorts the donors of a column by their predictions.
void Imputation::learn(std::size_t column, std::uint64_t key, bool bootstrap) {
  entries_.clear();
  double most = 0;
  const double* b = bootstrap ? drawn_.data() : estimates_.data();
  const Stream lot(key, 0, 0, column, kBootstrap);
  const auto enter = [&](bool once) {
    for (std::size_t p = 0; p < matrix_.patterns(); ++p)
      for (std::size_t at = begin(p); !misses(p, column) && at < known(p); ++at) {
        const double prediction = dot(b, row(at), matrix_.q);
        const int times = once ? 1 : poisson_one(lot.uniform(matrix_.keys[at]));
        for (int turn = 0; turn < times; ++turn)
          entries_.push_back({std::isfinite(prediction) ? prediction : 0.0, at});
      }
  };
  enter(!bootstrap);
  if (entries_.empty()) enter(true);
  for (const Entry& one : entries_) most = std::max(most, std::abs(one.value));
  least_ = kTied * (most > 0 ? most : 1.0);
  const Stream tie(key, 0, 0, column, kTie);
  for (Entry& one : entries_) one.value += least_ * tie.uniform(matrix_.keys[one.row]);
  sort(entries_, spare_);
}

// One of the nearest entries, chosen by a uniform number; where others are tied with it, any of these.
std::size_t Imputation::chosen(double prediction, double uniform, double among, std::size_t donors) const {
  const auto before = [](const Entry& one, double value) { return one.value < value; };
  const auto after = [](double value, const Entry& one) { return value < one.value; };
  auto right = std::lower_bound(entries_.begin(), entries_.end(), prediction, before), left = right;
  const std::size_t count = std::min(donors, entries_.size());
  const auto wanted = static_cast<std::size_t>(uniform * static_cast<double>(count));
  auto found = right;
  for (std::size_t turn = 0; turn <= wanted; ++turn) {
    const bool go_left = left != entries_.begin() &&
                         (right == entries_.end() || prediction - left[-1].value <= right->value - prediction);
    found = go_left ? --left : right++;
  }
  const auto low = std::lower_bound(entries_.begin(), entries_.end(), found->value - least_, before);
  const auto high = std::upper_bound(found, entries_.end(), found->value + least_, after);
  return low[static_cast<std::ptrdiff_t>(among * static_cast<double>(high - low))].row;
}

// Sorts by value: into bins of equal width, then within each bin.
void Imputation::sort(std::vector<Entry>& entries, std::vector<Entry>& spare) {
  if (entries.empty()) return;
  const auto ordered = [](const Entry& a, const Entry& b) {
    return a.value != b.value ? a.value < b.value : a.row < b.row;
  };
  const auto [least, most] = std::minmax_element(entries.begin(), entries.end(), ordered);
  const std::size_t bins = entries.size() / 2 + 1;
  const double low = least->value, width = (most->value - low) / static_cast<double>(bins);
  const double scale = width > 0 && std::isfinite(1 / width) ? 1 / width : 0.0;
  const auto bin = [&](double value) {
    const double place = (value - low) * scale;
    return place > 0 ? std::min(static_cast<std::size_t>(place), bins - 1) : 0;
  };
  std::vector<std::size_t> ends(bins + 1);
  for (const Entry& one : entries) ++ends[bin(one.value) + 1];
  for (std::size_t i = 0; i < bins; ++i) ends[i + 1] += ends[i];
  spare.resize(entries.size());
  for (const Entry& one : entries) spare[ends[bin(one.value)]++] = one;
  entries.swap(spare);
  // after scattering, each end is where the next bin began
  std::size_t start = 0;
  for (std::size_t i = 0; i < bins; start = ends[i++])
    if (ends[i] > start + 1)
      std::sort(entries.begin() + static_cast<std::ptrdiff_t>(start),
                entries.begin() + static_cast<std::ptrdiff_t>(ends[i]), ordered);
}

}  // namespace imputedb
