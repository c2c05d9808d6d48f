// Rows sorted by what is missing in them, filled in by what paths of regressions come to.
#pragma once

#include <cstdint>
#include <span>

#include "linear/equations.hpp"

namespace imputedb {

struct Sheet {
  std::size_t q;
  std::span<const double> x;             // (n, q), 0 where a value is missing
  std::span<const std::int64_t> starts;  // (P + 1) where each pattern's rows begin
  std::span<const std::uint8_t> gone;    // (P, q)
  std::span<const std::uint64_t> keys;   // (n)

  std::size_t patterns() const { return starts.size() - 1; }
};

// Where values go: out[row * width + place] of each wanted column.
struct Wanted {
  std::span<const std::size_t> columns, places;
  std::size_t width;
};

// The wanted values of a pattern's rows: with a key drawn, random numbers by row and column; without, expected.
void fill(const Sheet& sheet, std::size_t pattern, std::span<const Path> paths, const Wanted& wanted,
          const std::uint64_t* key, double* out);

}  // namespace imputedb
