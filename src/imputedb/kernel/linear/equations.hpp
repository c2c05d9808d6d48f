// Chained linear regressions on cross-products, one matrix a pattern of missingness: draws that touch no rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "linear/posterior.hpp"

namespace imputedb {

// Regressions one after another, cycle after cycle: a column of the matrix becomes x b + sigma e.
struct Path {
  std::span<const int> columns;     // of one cycle
  std::span<const double> b;        // (count, q)
  std::span<const double> sigma;    // (count)
};

// What a path does to the rows of a pattern: the wanted values that are missing become x weights + root e.
struct Effect {
  std::vector<std::size_t> columns;  // those values' columns
  std::vector<double> weights;       // (r, q), 0 where a column is missing
  std::vector<double> root;          // (r, r) of the covariance of their noise, upper
};

// The paths in the order in which they were run; followed from their end, until what was before no longer matters.
Effect effect(std::span<const Path> paths, std::span<const std::uint8_t> gone, std::span<const std::size_t> wanted);

// What it does to linear forms of a row, weights (r, q) as they come: x weights + root e.
Effect effect_on(std::span<const Path> paths, std::span<const std::uint8_t> gone, std::vector<double> weights);

// A pattern as cross-products, in coordinates of an orthonormal basis Q of its observed columns: x = Q root.
struct Many {
  double rows;
  std::vector<std::uint8_t> missing;    // (q)
  std::vector<std::size_t> seen, gone;  // columns of the matrix
  std::vector<double> root;             // (seen, seen), upper
  std::vector<double> within;           // (gone, seen) coordinates of the missing columns, as draws start
  std::vector<double> beyond;           // (gone, gone) cross-products of what no observed column says, likewise
  std::vector<double> lines;            // (gone, q) cross-products with all columns, likewise
  std::vector<std::size_t> sees;        // kinds of columns that are observed; one more, of all rows
};

// A rare pattern as rows.
struct Few {
  std::size_t begin, end;  // among the rows
  std::vector<std::uint8_t> missing;
  Effect start;
  std::vector<std::size_t> sees;
};

// What the trace of a draw is told, a regression each: sums over the imputed values.
struct Traced {
  double count, sum, square;
};

struct Expected {
  std::size_t cycles = 0;
  std::vector<double> changes;  // by cycle, the largest of a coefficient
  std::vector<int> left_out;    // by step, predictors that say what others do; -1 for all
};

// What all draws share. Columns that are missing together are of one kind: they share cross-products.
class Equations {
 public:
  // steps: columns in turn, first `leading` ones that some row misses; scale, shift (q): of imputed values, a departure from
  // missing at random each.
  Equations(std::size_t q, std::vector<int> steps, std::size_t leading, std::vector<double> scale,
            std::vector<double> shift)
      : q_(q), steps_(std::move(steps)), leading_(leading), scale_(std::move(scale)), shift_(std::move(shift)) {}

  void add(double rows, std::span<const std::uint8_t> missing, std::span<const double> gram);
  void keep(std::span<const double> rows, std::span<const std::uint8_t> missing);

  // Cycles of expectations on the cross-products, at most so many, until coefficients change less than `still`: b and
  // sigma of each regression. Draws then start from there, the first `many` patterns as cross-products.
  Expected expect(std::size_t cycles, double still, std::size_t many, std::span<double> b, std::span<double> sigma);

  // Cycles of draws, the first of them the start, in which columns do not see those after them: b (cycles steps, q), sigma
  // and traced (cycles steps); after each cycle moments (cycles, w, w): mean products of the watched columns, over all rows
  // that are learnt from as they stand. Steps of columns that no row misses have random numbers of their own, so that the
  // others are the same with and without.
  void draw(std::uint64_t key, std::size_t cycles, std::span<const std::size_t> watched, std::span<double> b,
            std::span<double> sigma, std::span<Traced> traced, std::span<double> moments) const;

  std::size_t width() const { return q_; }
  const std::vector<int>& steps() const { return steps_; }

 private:
  friend class Run;
  void tell_kinds();
  void add_up();

  std::size_t q_;
  std::vector<int> steps_;
  std::size_t leading_;
  std::vector<double> scale_, shift_;  // shift_ (steps, q) linear forms of a row
  std::vector<Many> many_;
  std::vector<Few> few_;
  std::vector<double> rows_;        // (k, q) of the rare patterns
  std::vector<std::size_t> kinds_;  // by step
  std::vector<std::size_t> first_;  // by kind: a column
  std::vector<double> patterns_;    // (P, q, q) cross-products, missing values as 0
  std::vector<double> grams_;       // (kinds + 1, q, q) of the patterns where a kind is observed; of all
};

}  // namespace imputedb
