#include "linear/logits.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linear/posterior.hpp"

namespace imputedb {
namespace {

constexpr int kSteps = 60;
constexpr double kConverged = 1e-10;  // relative gain of the log-likelihood below which steps end
constexpr double kShortest = 1e-4;   // shortest share of a Newton step
constexpr double kRidge = 1e-10;     // ridge as a share of the trace, for collinear predictors
constexpr double kLeast = 1e-300;    // smallest probability whose logarithm is taken

}  // namespace

Logits::Logits(const ClassData& rows)
    : rows_(rows),
      k_(rows.classes - 1),
      q_(k_ * rows.p),
      generator_(rows.n * k_),
      tried_(rows.n * k_),
      information_(q_ * q_) {}

IMPUTEDB_WIDE double Logits::likelihood(const double* beta, std::vector<double>& generator) const {
  double sum = 0;
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const double* x = rows_.x + i * rows_.p;
    double* mine = generator.data() + i * k_;
    double most = 0;
    for (std::size_t a = 0; a < k_; ++a) {
      mine[a] = dot(beta + a * rows_.p, x, rows_.p);
      most = std::max(most, mine[a]);
    }
    const double first = std::exp(-most);
    double total = first;
    for (std::size_t a = 0; a < k_; ++a) {
      mine[a] = std::exp(mine[a] - most);
      total += mine[a];
    }
    for (std::size_t a = 0; a < k_; ++a) mine[a] /= total;
    const auto code = static_cast<std::size_t>(rows_.codes[i]);
    sum += rows_.weights[i] * std::log(std::max(code == 0 ? first / total : mine[code - 1], kLeast));
  }
  return sum;
}

IMPUTEDB_WIDE void Logits::slope(double* out) const {
  std::fill(out, out + q_, 0.0);
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const auto code = static_cast<std::size_t>(rows_.codes[i]);
    for (std::size_t a = 0; a < k_; ++a) {
      const double left = (code == a + 1 ? 1.0 : 0.0) - generator_[i * k_ + a];
      add(rows_.weights[i] * left, rows_.x + i * rows_.p, out + a * rows_.p, rows_.p);
    }
  }
}

// The information, ((classes - 1) p)^2, block by block.
IMPUTEDB_WIDE void Logits::inform() {
  const std::size_t p = rows_.p;
  std::fill(information_.begin(), information_.end(), 0.0);
  for (std::size_t i = 0; i < rows_.n; ++i) {
    const double* x = rows_.x + i * p;
    const double* generator = generator_.data() + i * k_;
    for (std::size_t a = 0; a < k_; ++a)
      for (std::size_t b = a; b < k_; ++b) {
        const double curvature = rows_.weights[i] * generator[a] * ((a == b ? 1.0 : 0.0) - generator[b]);
        for (std::size_t j = 0; j < p; ++j) {
          const std::size_t from = a == b ? j : 0;
          add(curvature * x[j], x + from, information_.data() + (a * p + j) * q_ + b * p + from, p - from);
        }
      }
  }
  double trace = 0;
  for (std::size_t j = 0; j < q_; ++j) trace += information_[j * q_ + j];
  for (std::size_t j = 0; j < q_; ++j) information_[j * q_ + j] += kRidge * std::max(trace, kRidge);
}

// The upper root U of the information, U'U, in its place.
bool Logits::factor() {
  for (std::size_t j = 0; j < q_; ++j)
    if (!(information_[j * q_ + j] > 0) || !std::isfinite(information_[j * q_ + j])) return false;
  imputedb::factor(information_.data(), q_, 0, 0.0);
  for (std::size_t j = 0; j < q_; ++j)
    if (!(information_[j * q_ + j] > 0)) return false;
  return true;
}

bool Logits::fit(double* beta) {
  std::vector<double> step(q_), next(q_);
  double best = likelihood(beta, generator_);
  for (int round = 0; round < kSteps; ++round) {
    slope(step.data());
    inform();
    if (!factor()) return false;
    const double* u = information_.data();
    for (std::size_t i = 0; i < q_; ++i) {  // U'z = slope
      step[i] /= u[i * q_ + i];
      add(-step[i], u + i * q_ + i + 1, step.data() + i + 1, q_ - i - 1);
    }
    for (std::size_t i = q_; i-- > 0;)  // U step = z
      step[i] = (step[i] - dot(u + i * q_ + i + 1, step.data() + i + 1, q_ - i - 1)) / u[i * q_ + i];
    double size = 1, found = best;
    bool gains = false;
    for (; size > kShortest && !gains; size /= 2) {
      for (std::size_t j = 0; j < q_; ++j) next[j] = beta[j] + size * step[j];
      found = likelihood(next.data(), tried_);
      gains = found >= best;
    }
    if (!gains) break;
    std::copy(next.begin(), next.end(), beta);
    std::swap(generator_, tried_);
    const double gained = found - std::exchange(best, found);
    if (gained < kConverged * (std::abs(best) + 1)) break;
  }
  return true;
}

bool Logits::root(double* out) {
  inform();
  if (!factor()) return false;
  const double* u = information_.data();
  std::fill(out, out + q_ * q_, 0.0);
  for (std::size_t j = 0; j < q_; ++j) {  // the inverse of U, column by column
    out[j * q_ + j] = 1 / u[j * q_ + j];
    for (std::size_t i = j; i-- > 0;) {
      double sum = 0;
      for (std::size_t l = i + 1; l <= j; ++l) sum += u[i * q_ + l] * out[l * q_ + j];
      out[i * q_ + j] = -sum / u[i * q_ + i];
    }
  }
  return true;
}

}  // namespace imputedb
