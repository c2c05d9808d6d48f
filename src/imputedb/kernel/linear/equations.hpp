// Chained linear regressions on cross-products, one matrix for each pattern of missingness; draws need no rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "linear/posterior.hpp"

namespace imputedb {

// A sequence of regressions in cycles, each of which replaces a column of the matrix by x b + sigma e.
struct RegressionSequence {
  std::span<const int> columns;     // the columns of one cycle
  std::span<const double> b;        // (count, q)
  std::span<const double> sigma;    // (count)
};

// The effect of a sequence on the rows of a pattern: missing values among the wanted ones become x weights + root e.
struct Effect {
  std::vector<std::size_t> columns;  // the columns of these values
  std::vector<double> weights;       // (r, q), 0 where a column is missing
  std::vector<double> root;          // (r, r) upper root of the covariance of their noise
};

// The effect of sequences, given in their order. They are followed backwards until earlier values no longer matter.
Effect effect(std::span<const RegressionSequence> sequences, std::span<const std::uint8_t> missing,
              std::span<const std::size_t> wanted);

// The effect on linear forms of a row with the given weights (r, q): x weights + root e.
Effect effect_on(std::span<const RegressionSequence> sequences, std::span<const std::uint8_t> missing,
                 std::vector<double> weights);

// A frequent pattern, as cross-products in an orthonormal basis Q of its observed columns: x = Q root.
struct FrequentPattern {
  double rows;
  std::vector<std::uint8_t> missing;    // (q)
  std::vector<std::size_t> observed_columns, missing_columns;  // columns of the matrix
  std::vector<double> root;             // (seen, seen) upper root of the observed columns' cross-products
  std::vector<double> within;           // (missing, observed) coordinates of the missing columns, where draws start
  std::vector<double> beyond;           // (missing, missing) cross-products of their residuals on the observed columns
  std::vector<double> lines;            // (missing, q) cross-products with all columns
  std::vector<std::size_t> observed_kinds;  // kinds of columns that are observed here; then the kind of all rows
};

// A rare pattern, as rows.
struct RarePattern {
  std::size_t begin, end;  // its places among the rows
  std::vector<std::uint8_t> missing;
  Effect start;
  std::vector<std::size_t> observed_kinds;
};

// The trace of one regression of a draw: count, sum and sum of squares of the imputed values.
struct RegressionTrace {
  double count, sum, square;
};

struct Expected {
  std::size_t cycles = 0;
  std::vector<double> changes;  // by cycle, the largest change of a coefficient
  std::vector<int> left_out;    // by step, the number of collinear predictors that are left out; -1 for all
};

// The state that all draws share. Columns that are always missing together are of one kind, and share cross-products.
class Equations {
 public:
  // steps: the columns in turn, first the `leading` ones that some row misses. scale, shift: by step, a departure from
  // missing at random; imputed values are multiplied by scale, and a linear form (q) of the row is added.
  Equations(std::size_t q, std::vector<int> steps, std::size_t leading, std::vector<double> scale,
            std::vector<double> shift)
      : q_(q), steps_(std::move(steps)), leading_(leading), scale_(std::move(scale)), shift_(std::move(shift)) {}

  void add(double rows, std::span<const std::uint8_t> missing, std::span<const double> gram);
  void keep(std::span<const double> rows, std::span<const std::uint8_t> missing);

  // At most `cycles` cycles of expectations on the cross-products, until coefficients change by less than `still`. b
  // and sigma get each regression. Draws then start from there, with the first `many` patterns as cross-products.
  Expected expect(std::size_t cycles, double still, std::size_t many, std::span<double> b, std::span<double> sigma);

  // Cycles of draws. The first is the start, in which columns are not predicted by those after them. b (cycles steps,
  // q), sigma and traced (cycles steps) get each regression. moments (cycles, w, w) get mean products of the watched
  // columns after each cycle, over all rows that are learnt from. Steps of columns that no row misses have random
  // numbers of their own, so that other columns do not depend on them.
  void draw(std::uint64_t key, std::size_t cycles, std::span<const std::size_t> watched, std::span<double> b,
            std::span<double> sigma, std::span<RegressionTrace> traced, std::span<double> moments) const;

  std::size_t width() const { return q_; }
  const std::vector<int>& steps() const { return steps_; }

 private:
  friend class Run;
  void assign_kinds();
  void sum_cross_products();

  std::size_t q_;
  std::vector<int> steps_;
  std::size_t leading_;
  std::vector<double> scale_, shift_;  // (steps) and (steps, q)
  std::vector<FrequentPattern> frequent_;
  std::vector<RarePattern> rare_;
  std::vector<double> rows_;        // (k, q) the rows of the rare patterns
  std::vector<std::size_t> kinds_;  // by step
  std::vector<std::size_t> first_;  // by kind: a column
  std::vector<double> patterns_;    // (P, q, q) cross-products, missing values as 0
  std::vector<double> grams_;       // (kinds + 1, q, q) sums over the patterns where a kind is observed; over all
};

}  // namespace imputedb
