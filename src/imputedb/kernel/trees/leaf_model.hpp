// Ridge regression of one or several targets on standardised features, which are given as tables by code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// The numbers of a feature by code; a row's value is a sum of table entries.
using Table = std::vector<float>;

// Cross-products of rows (z_1 .. z_p, y_1 .. y_k), summed in the order of the rows.
class CrossProducts {
 public:
  CrossProducts(std::size_t features, std::size_t targets);
  void add(std::span<const float> block, std::size_t rows);  // row-major, features + targets in each row
  void add(const CrossProducts& other);
  // By target, the p coefficients of y on z, which the caller has centred; empty if the system cannot be solved.
  // Coefficients of features that are not `used` are 0; all features are used unless given.
  std::vector<std::vector<double>> solve(double ridge, std::span<const std::uint8_t> used = {}) const;

 private:
  bool factor(double ridge, const std::vector<std::size_t>& places, std::vector<double>& lower) const;

  std::size_t features_, width_;
  std::vector<double> products_;
};

// A feature of a linear model: the codes of all rows of the table, and the number of each code.
struct Regressor {
  std::span<const std::uint8_t> codes;
  Table z;
};

// The ridge penalty for a number of rows.
double penalty_of(std::size_t rows);

// Adds rows to cross-products, up to a largest number of rows; y has one value for each row and target.
void accumulate(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
                std::span<const std::vector<float>> y, std::span<const std::uint32_t> places, CrossProducts& out);

// Coefficients by target and regressor: without the held-out rows (`honest`), and of all rows.
struct Fit {
  std::vector<std::vector<double>> honest, all;
  bool solved() const { return !honest.empty() && !all.empty(); }
};

// Ridge regressions. `grow` and `hold` are places among `rows`; y has a value for each of these, by target.
Fit ridge(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
          std::span<const std::vector<float>> y, std::span<const std::uint32_t> grow,
          std::span<const std::uint32_t> hold);

}  // namespace imputedb
