#include "linear/posterior.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "shared/normal.hpp"

namespace imputedb {
namespace {

constexpr double kCollinear = 1e-7;  // the same as in imputers/chained/regression.py
constexpr double kRounding = 1e-14;  // share of y'y that rounding may leave of a difference; the smallest RSS

}  // namespace

std::uint64_t Generator::bits() { return mixed(std::exchange(state_, state_ + 0x9E3779B97F4A7C15ULL)); }

double Generator::uniform() { return inside(bits()); }

double Generator::normal() {
  return imputedb::normal([this] { return bits(); });
}

double Generator::chi_square(double df) {
  const double shape = df / 2 < 1 ? df / 2 + 1 : df / 2;
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  double v = 0;
  while (true) {
    const double x = normal();
    v = 1 + c * x;
    if (v <= 0) continue;
    v = v * v * v;
    if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) break;
  }
  return 2 * d * v * (df / 2 < 1 ? std::pow(uniform(), 2 / df) : 1.0);
}

IMPUTEDB_WIDE void factor(double* matrix, std::size_t n, std::size_t spared, double share) {
  std::vector<double> least(n);
  for (std::size_t k = 0; k < n; ++k) least[k] = share * matrix[k * n + k];
  for (std::size_t k = 0; k + spared < n; ++k) {
    double* row = matrix + k * n;
    if (!(row[k] > least[k])) {
      std::fill(row + k, row + n, 0.0);
      continue;
    }
    const double inverse = 1 / std::sqrt(row[k]);
    for (std::size_t j = k; j < n; ++j) row[j] *= inverse;
    for (std::size_t i = k + 1; i < n; ++i) {
      double* other = matrix + i * n;
      for (std::size_t j = i; j < n; ++j) other[j] -= row[i] * row[j];
    }
  }
}

IMPUTEDB_WIDE double Posterior::fit(const double* gram, std::size_t column, Generator* generator, double* b,
                                    const std::uint8_t* barred) {
  std::fill(b, b + q_, 0.0);
  const std::size_t p = q_ - 1;
  const auto out = [&](std::size_t j) { return barred != nullptr && j != column && barred[j] != 0; };
  double used = 0;
  for (std::size_t j = 0; j < q_; ++j) used += j != column && !out(j);
  const double rows = gram[0];
  left_out_ = -1;
  if (rows < used + 2) return mean_alone(gram, column, generator, b);
  order_.clear();
  for (std::size_t j = 0; j < q_; ++j)
    if (j != column) order_.push_back(j);
  order_.push_back(column);
  for (std::size_t j = 0; j < q_; ++j) {
    const double square = gram[order_[j] * q_ + order_[j]];
    scale_[j] = out(order_[j]) ? 0.0 : square > 0 && j < p ? 1 / std::sqrt(square) : 1.0;
  }
  for (std::size_t i = 0; i < q_; ++i)
    for (std::size_t j = i; j < q_; ++j)
      matrix_[i * q_ + j] = gram[order_[i] * q_ + order_[j]] * scale_[i] * scale_[j];
  factor(matrix_.data(), q_, 1, kCollinear);
  const double rss = std::max(matrix_[p * q_ + p], kRounding * gram[column * q_ + column]);
  const double df = std::max(rows - used, 1.0);
  const double sigma = std::sqrt(rss / (generator ? generator->chi_square(df) : df));
  left_out_ = 0;
  for (std::size_t i = 0; i < p; ++i) left_out_ += !(matrix_[i * q_ + i] > 0);
  solve(sigma, generator, b, beta_.data());
  return sigma;
}

void Posterior::estimated(double* b) const {
  std::fill(b, b + q_, 0.0);
  b[0] = mean_;
  std::vector<double> beta(q_);
  if (left_out_ >= 0) solve(0, nullptr, b, beta.data());
}

// Coefficients b from the root of the cross-products, by back substitution; beta (q) are the scaled ones.
IMPUTEDB_WIDE void Posterior::solve(double sigma, Generator* generator, double* b, double* beta) const {
  const std::size_t p = q_ - 1;
  for (std::size_t i = p; i-- > 0;) {
    const double* row = matrix_.data() + i * q_;
    const double z = generator ? generator->normal() : 0.0;
    const double rest = row[p] + sigma * z - dot(row + i + 1, beta + i + 1, p - i - 1);
    beta[i] = row[i] > 0 ? rest / row[i] : 0.0;
    b[order_[i]] = beta[i] * scale_[i];
  }
}

double Posterior::mean_alone(const double* gram, std::size_t column, Generator* generator, double* b) {
  const double rows = std::max(gram[0], 1.0), sum = gram[column], df = std::max(rows - 1, 1.0);
  const double rss = std::max(gram[column * q_ + column] - sum * sum / rows, 0.0);
  const double sigma = std::sqrt(rss / (generator ? generator->chi_square(df) : df));
  mean_ = sum / rows;
  b[0] = mean_ + (generator ? sigma * generator->normal() / std::sqrt(rows) : 0.0);
  return sigma;
}

}  // namespace imputedb
