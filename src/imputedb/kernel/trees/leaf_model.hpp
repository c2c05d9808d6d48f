// Ridge regression on standardised features, of one or several targets at once, read as tables of codes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// A number a code, of a feature: a row's value is the sum of its look-ups.
using Table = std::vector<float>;

// Cross products of rows (z_1 .. z_p, y_1 .. y_k), added up in the order of the rows.
class CrossProducts {
 public:
  CrossProducts(std::size_t features, std::size_t targets);
  void add(std::span<const float> block, std::size_t rows);  // row-major, features + targets a row
  void add(const CrossProducts& other);
  // Per target the p coefficients of y on z, all centred by the caller; empty when the system cannot be solved. Those of
  // features that are not `used` are 0; all are unless given.
  std::vector<std::vector<double>> solve(double ridge, std::span<const std::uint8_t> used = {}) const;

 private:
  bool factor(double ridge, const std::vector<std::size_t>& places, std::vector<double>& lower) const;

  std::size_t features_, width_;
  std::vector<double> products_;
};

// A feature of a linear model: the codes of every row of the table, and what each code stands for.
struct Regressor {
  std::span<const std::uint8_t> codes;
  Table z;
};

// What ridge regressions penalise coefficients by, of so many rows.
double penalty_of(std::size_t rows);

// Adds rows up, of so many places at most; y has a value a row and target.
void accumulate(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
                std::span<const std::vector<float>> y, std::span<const std::uint32_t> places, CrossProducts& out);

// Coefficients per target and regressor: of the rows to grow on, and of those and the held-out ones.
struct Fit {
  std::vector<std::vector<double>> honest, all;
  bool solved() const { return !honest.empty() && !all.empty(); }
};

// `grow` and `hold` are places among `rows`, of which y has a value each, per target.
Fit ridge(std::span<const Regressor> regressors, std::span<const std::uint32_t> rows,
          std::span<const std::vector<float>> y, std::span<const std::uint32_t> grow,
          std::span<const std::uint32_t> hold);

}  // namespace imputedb
