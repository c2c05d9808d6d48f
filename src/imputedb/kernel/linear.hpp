// Ridge regression on a handful of standardised features.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// Cross products of rows (z_1 .. z_p, y), added up in the order of the rows.
class CrossProducts {
 public:
  explicit CrossProducts(std::size_t features);
  void add(const float* block, std::size_t rows);  // row-major, features + 1 a row
  void add(const CrossProducts& other);
  // Coefficients of y on z, all centred by the caller; empty when the system cannot be solved.
  std::vector<double> solve(double ridge) const;

 private:
  std::size_t width_;
  double rows_ = 0;
  std::vector<double> products_;
};

}  // namespace imputedb
