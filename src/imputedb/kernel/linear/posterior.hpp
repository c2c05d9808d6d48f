// Posterior draws of a regression, given cross-products alone; and the random numbers of one draw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

// Marks functions to be compiled for AVX2 too, without fused products, so that results agree on all machines.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define IMPUTEDB_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define IMPUTEDB_WIDE
#endif

namespace imputedb {

// Random numbers of one draw, one after another (SplitMix64; Steele, Lea & Flood 2014).
class Generator {
 public:
  explicit Generator(std::uint64_t key) : state_(key) {}
  double uniform();               // inside (0, 1)
  double normal();                // ziggurat (Marsaglia & Tsang 2000)
  double chi_square(double df);   // twice a gamma of df / 2 (Marsaglia & Tsang 2000)

 private:
  std::uint64_t bits();

  std::uint64_t state_;
};

[[gnu::always_inline]] inline double dot(const double* a, const double* b, std::size_t n) {
  double sums[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::size_t k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// y += a x; the two do not overlap.
[[gnu::always_inline]] inline void add(double a, const double* __restrict x, double* __restrict y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) y[i] += a * x[i];
}

// The upper root U of a matrix (n, n) = U'U, in place of its upper half. Where the columns before it explain a column
// up to a `share` of its square, its row and its pivot are 0. The last `spared` columns are not pivoted.
void factor(double* matrix, std::size_t n, std::size_t spared, double share);

// Bayesian linear regression (Rubin 1987, page 167): sigma^2 = RSS / chi-square, beta = estimate + sigma V^(1/2) z.
class Posterior {
 public:
  explicit Posterior(std::size_t q) : q_(q), scale_(q), matrix_(q * q), beta_(q) {}
  // The regression of a column on the others, from x'x (q, q) of a matrix whose first column is ones. b (q) gets the
  // coefficients, 0 at the column itself; sigma is returned. Without a generator both are estimates. With too few rows
  // for the predictors only the mean is fitted. Columns that are `barred`, a flag each, are no predictors.
  double fit(const double* gram, std::size_t column, Generator* generator, double* b,
             const std::uint8_t* barred = nullptr);
  // The estimated coefficients (q) of the last fit.
  void estimated(double* b) const;
  // The number of collinear predictors that the last fit left out; -1 if it is the mean.
  int left_out() const { return left_out_; }

 private:
  double mean_alone(const double* gram, std::size_t column, Generator* generator, double* b);
  void solve(double sigma, Generator* generator, double* b, double* beta) const;

  std::size_t q_;
  int left_out_ = 0;
  double mean_ = 0;
  std::vector<std::size_t> order_;
  std::vector<double> scale_, matrix_, beta_;
};

}  // namespace imputedb
