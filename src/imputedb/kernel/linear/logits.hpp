// Baseline-category logits: coefficients of a multinomial regression by Newton's method, over weighted rows.
#pragma once

#include <cstddef>
#include <vector>

namespace imputedb {

// Rows (n, p) with their classes and weights.
struct ClassData {
  const double* x;
  const double* codes;
  const double* weights;
  std::size_t n, p, classes;
};

class Logits {
 public:
  explicit Logits(const ClassData& rows);

  // Coefficients beta (classes - 1, p) of all classes but the first, from given starting values, by Newton steps that
  // are halved if they gain nothing (McCullagh & Nelder 1989, section 5.3). False if the information has no root.
  bool fit(double* beta);
  // A root R of the covariance, ((classes - 1) p)^2: R R' is the inverse of the information. False if there is none.
  bool root(double* out);

 private:
  // The log-likelihood of coefficients; chance gets (n, classes - 1) probabilities of all classes but the first.
  double likelihood(const double* beta, std::vector<double>& generator) const;
  void slope(double* out) const;
  void inform();
  bool factor();

  ClassData rows_;
  std::size_t k_, q_;
  std::vector<double> generator_, tried_, information_;
};

}  // namespace imputedb
