#include "trees/leaf_model.hpp"

#include <algorithm>
#include <cmath>

namespace imputedb {
namespace {

constexpr std::size_t kRows = 20000;  // largest number of rows that a linear model is fitted to
constexpr std::size_t kBlock = 256;   // rows that are summed in single precision before conversion to doubles
constexpr double kPenalty = 1e-3;     // ridge penalty as a share of the rows

}  // namespace

CrossProducts::CrossProducts(std::size_t features, std::size_t targets)
    : features_(features), width_(features + targets), products_(features * width_) {}

void CrossProducts::add(std::span<const float> block, std::size_t rows) {
  std::vector<float> sums(width_);
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, rows);
    for (std::size_t i = 0; i < features_; ++i) {
      std::fill(sums.begin() + static_cast<std::ptrdiff_t>(i), sums.end(), 0.0F);
      std::size_t r = begin;
      for (; r + 4 <= end; r += 4) {  // four rows for each read and write of a sum
        const float *a = block.data() + r * width_, *b = a + width_, *c = b + width_, *d = c + width_;
        for (std::size_t j = i; j < width_; ++j)
          sums[j] = sums[j] + a[i] * a[j] + b[i] * b[j] + c[i] * c[j] + d[i] * d[j];
      }
      for (; r < end; ++r) {
        const float* row = block.data() + r * width_;
        for (std::size_t j = i; j < width_; ++j) sums[j] += row[i] * row[j];
      }
      for (std::size_t j = i; j < width_; ++j) products_[i * width_ + j] += sums[j];
    }
  }
}

void CrossProducts::add(const CrossProducts& other) {
  for (std::size_t i = 0; i < products_.size(); ++i) products_[i] += other.products_[i];
}

// The lower Cholesky root of the products of some features, with the ridge on the diagonal.
bool CrossProducts::factor(double ridge, const std::vector<std::size_t>& places, std::vector<double>& lower) const {
  const std::size_t p = places.size();
  lower.assign(p * p, 0);
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = products_[places[j] * width_ + places[i]] + (i == j ? ridge : 0.0);
      for (std::size_t k = 0; k < j; ++k) sum -= lower[i * p + k] * lower[j * p + k];
      if (i == j && !(sum > 1e-9)) return false;
      lower[i * p + j] = i == j ? std::sqrt(sum) : sum / lower[j * p + j];
    }
  }
  return true;
}

std::vector<std::vector<double>> CrossProducts::solve(double ridge, std::span<const std::uint8_t> used) const {
  std::vector<std::size_t> places;
  for (std::size_t f = 0; f < features_; ++f)
    if (used.empty() || used[f] != 0) places.push_back(f);
  const std::size_t p = places.size();
  std::vector<double> lower, b(p);
  if (!factor(ridge, places, lower)) return {};
  std::vector<std::vector<double>> out(width_ - features_, std::vector<double>(features_));
  for (std::size_t t = 0; t < out.size(); ++t) {
    for (std::size_t i = 0; i < p; ++i) {
      double sum = products_[places[i] * width_ + features_ + t];
      for (std::size_t k = 0; k < i; ++k) sum -= lower[i * p + k] * b[k];
      b[i] = sum / lower[i * p + i];
    }
    for (std::size_t i = p; i-- > 0;) {
      double sum = b[i];
      for (std::size_t k = i + 1; k < p; ++k) sum -= lower[k * p + i] * b[k];
      b[i] = sum / lower[i * p + i];
    }
    for (std::size_t i = 0; i < p; ++i) out[t][places[i]] = b[i];
  }
  return out;
}

double penalty_of(std::size_t rows) { return kPenalty * static_cast<double>(rows) + 1; }

void accumulate(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
                std::span<const std::vector<float>> y, std::span<const std::uint32_t> places, CrossProducts& out) {
  const std::size_t p = regressors.size(), width = p + y.size();
  const std::size_t limit = std::min(places.size(), kRows);
  std::vector<float> block(kBlock * width);
  for (std::size_t begin = 0; begin < limit; begin += kBlock) {
    const std::size_t n = std::min(kBlock, limit - begin);
    for (std::size_t f = 0; f < p; ++f)
      for (std::size_t r = 0; r < n; ++r)
        block[r * width + f] = regressors[f].z[regressors[f].codes[rows[places[begin + r]]]];
    for (std::size_t t = 0; t < y.size(); ++t)
      for (std::size_t r = 0; r < n; ++r) block[r * width + p + t] = y[t][places[begin + r]];
    out.add(block, n);
  }
}

Fit ridge(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
          std::span<const std::vector<float>> y, std::span<const std::uint32_t> grow,
          std::span<const std::uint32_t> hold) {
  CrossProducts products(regressors.size(), y.size()), held(regressors.size(), y.size());
  accumulate(regressors, rows, y, grow, products);
  accumulate(regressors, rows, y, hold, held);
  const double penalty = penalty_of(rows.size());
  Fit fit;
  fit.honest = products.solve(penalty);
  products.add(held);
  fit.all = products.solve(penalty);
  return fit;
}

}  // namespace imputedb
