// Predictive mean matching on a sheet: rows are predicted from what paths of regressions come to, never filled in.
#pragma once

#include "sheet.hpp"

namespace imputedb {

// The regressions of a draw's last cycle.
struct Fits {
  std::span<const int> steps;             // regressed columns
  std::span<const double> drawn;          // (steps, q)
  std::span<const double> estimates;      // (steps, q)
};

struct Match {
  std::span<const std::size_t> targets;  // columns, matched in turn
  std::size_t donors;                    // so many nearest, each as probable
  bool bootstrap;                        // whether donors are a bootstrap, predicted by the drawn coefficients too
  std::uint64_t key;                     // of the draw
};

// How many values the targets miss.
std::size_t matches(const Sheet& sheet, std::span<const std::size_t> targets);

// Matching: a missing value takes that of a row whose prediction is near its own by the drawn coefficients; the donor's
// is by the same and donors are a bootstrap (Rubin & Schenker 1986), or by the estimates and they are all (type 1; Morris,
// White & Royston 2014). Predictors that are missing are drawn: by what the paths come to a prediction is that from the
// others, and noise. Donors are among the first `taught` rows of each pattern. out: by target the donor of each row, in
// their order, that misses it.
void match(const Sheet& sheet, std::span<const std::int64_t> taught, std::span<const Path> paths, const Fits& fits,
           const Match& wanted, std::span<std::int64_t> out);

}  // namespace imputedb
