// Rows sorted by pattern of missing values, filled in by the effect of sequences of regressions.
#pragma once

#include <cstdint>
#include <span>

#include "linear/equations.hpp"

namespace imputedb {

struct PatternMatrix {
  std::size_t q;
  std::span<const double> x;             // (n, q), 0 where a value is missing
  std::span<const std::int64_t> starts;  // (P + 1) the first row of each pattern
  std::span<const std::uint8_t> missing;  // (P, q) whether a column is missing
  std::span<const std::uint64_t> keys;   // (n) keys of random numbers

  std::size_t patterns() const { return starts.size() - 1; }
};

// The places of values in the output: out[row * width + place] for each wanted column.
struct OutputColumns {
  std::span<const std::size_t> columns, places;
  std::size_t width;
};

// The wanted values of a pattern's rows: with a key random draws, by row and column; without one, expected values.
void fill(const PatternMatrix& pattern_matrix, std::size_t pattern, std::span<const RegressionSequence> sequences,
          const OutputColumns& wanted, const std::uint64_t* key, double* out);

}  // namespace imputedb
