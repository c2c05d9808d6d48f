// One imputation of a pattern matrix's rows, column after column, with cross-products that are updated after each
// change.
#pragma once

#include "linear/pattern_matrix.hpp"

namespace imputedb {

class Imputation {
 public:
  // x (n, q): the rows with the present values of missing cells, which are changed. fitted_rows: by pattern, the number
  // of first rows that are learnt from. columns: the columns that are filled in.
  Imputation(const PatternMatrix& pattern_matrix, std::span<const std::int64_t> fitted_rows,
             std::vector<std::size_t> columns, std::span<double> x);

  // Predictive mean matching of type 1 (Little 1988; Morris, White & Royston 2014). A missing value is predicted by
  // coefficients drawn from their posterior, observed ones by the estimates; it becomes the value of one of the `donors`
  // nearest, with equal probability, or of any donor tied with it. Columns that are `barred`, a flag each, are no
  // predictors. With a bootstrap of the donors (Rubin & Schenker 1986) these are predicted by the drawn coefficients
  // too. out: for each row that misses the column, in order, the donor's row. False, without any change, if there is
  // none.
  bool match(std::size_t column, std::uint64_t key, std::size_t donors, bool bootstrap, std::span<const std::uint8_t> barred,
             std::span<std::int64_t> out);

  // Bayesian linear regression (Rubin 1987, page 167): a missing value becomes x beta* + sigma* e.
  void regress(std::size_t column, std::uint64_t key, std::span<const std::uint8_t> barred);

  // Values of the rows that miss a column, in their order.
  void put(std::size_t column, std::span<const double> values);

  // x'x (q, q) of all rows that are learnt from.
  std::span<const double> gram() const { return std::span(grams_).last(matrix_.q * matrix_.q); }

  std::size_t missing(std::size_t column) const;

 private:
  struct Entry {
    double value;  // a donor's prediction
    std::size_t row;
  };

  std::size_t begin(std::size_t p) const { return static_cast<std::size_t>(matrix_.starts[p]); }
  std::size_t end(std::size_t p) const { return static_cast<std::size_t>(matrix_.starts[p + 1]); }
  std::size_t known(std::size_t p) const { return begin(p) + static_cast<std::size_t>(fitted_rows_[p]); }
  bool misses(std::size_t p, std::size_t column) const { return matrix_.missing[p * matrix_.q + column] != 0; }
  const double* row(std::size_t at) const { return x_.data() + at * matrix_.q; }

  void assign_kinds(std::span<const std::size_t> columns);
  void sum_cross_products();
  double fit(std::size_t column, std::uint64_t key, std::span<const std::uint8_t> barred);
  void learn(std::size_t column, std::uint64_t key, bool bootstrap);
  std::size_t chosen(double prediction, double uniform, double among, std::size_t donors) const;
  static void sort(std::vector<Entry>& entries, std::vector<Entry>& spare);

  const PatternMatrix matrix_;
  const std::span<const std::int64_t> fitted_rows_;
  const std::span<double> x_;
  std::vector<std::size_t> kinds_;               // by column: its kind, shared by columns missing in the same patterns
  std::vector<std::size_t> first_;               // by kind: a column
  std::vector<std::vector<std::size_t>> observed_kinds_;  // by pattern: kinds that are observed
  std::vector<double> grams_;                    // (kinds + 1, q, q) x'x of rows where a kind is observed; of all rows
  Posterior posterior_;
  std::vector<double> drawn_, estimates_, values_, line_;
  std::vector<Entry> entries_, spare_;
  double least_ = 0;  // predictions that differ by less are tied
};

}  // namespace imputedb
