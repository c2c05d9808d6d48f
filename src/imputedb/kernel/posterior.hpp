// A regression drawn from its posterior, given cross-products alone, and the random numbers of one draw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// Random numbers of one draw, one after another (SplitMix64; Steele, Lea & Flood 2014).
class Chance {
 public:
  explicit Chance(std::uint64_t key) : state_(key) {}
  double uniform();               // inside (0, 1)
  double normal();                // polar method (Marsaglia & Bray 1964)
  double chi_square(double df);   // twice a gamma of df / 2 (Marsaglia & Tsang 2000)

 private:
  std::uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

double dot(const double* a, const double* b, std::size_t n);

// y += a x
void add(double a, const double* x, double* y, std::size_t n);

// The upper root U of a matrix (n, n), U'U, in place of its upper half. A column that those before it explain but for a
// `share` of its square has no row: its pivot is 0. The last `spared` columns get no rows either way.
void factor(double* matrix, std::size_t n, std::size_t spared, double share);

// Bayesian linear regression (Rubin 1987, page 167): sigma^2 = RSS / chi-square, beta = estimate + sigma V^(1/2) z.
class Posterior {
 public:
  explicit Posterior(std::size_t q) : q_(q), scale_(q), matrix_(q * q), beta_(q) {}
  // The regression of a column on the others, from x'x (q, q) of a matrix with ones first: b (q), 0 at the column itself;
  // gives sigma. Without chance both are the estimates. With too few rows for the predictors the mean alone is fitted.
  double fit(const double* gram, std::size_t column, Chance* chance, double* b);
  // The estimates (q) of what was fitted last.
  void estimated(double* b) const;
  // Predictors that the last fit left out, since others say the same; -1 where it is the mean.
  int left_out() const { return left_out_; }

 private:
  double mean_alone(const double* gram, std::size_t column, Chance* chance, double* b);
  void solve(double sigma, Chance* chance, double* b, double* beta) const;

  std::size_t q_;
  int left_out_ = 0;
  double mean_ = 0;
  std::vector<std::size_t> order_;
  std::vector<double> scale_, matrix_, beta_;
};

}  // namespace imputedb
