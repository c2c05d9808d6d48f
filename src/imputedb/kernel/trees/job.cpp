#include "trees/job.hpp"

#include <algorithm>

namespace imputedb {
namespace {

constexpr double kLeastShare = 0.05;  // smallest share of a target's gaps in which a column is missing too
constexpr double kFewest = 5;    // smallest number of such rows
constexpr double kMostRelativeShare =
    0.25;                        // bound on the share among training rows, relative to the share among the gaps
constexpr double kFew = 0.1;     // share of gaps that have the columns, below which fewer rows are learnt from
constexpr std::size_t kFewRows = 4096;

}  // namespace

JointlyMissing Job::jointly_missing(const Target& target, const Settings& settings) const {
  const std::size_t fitted_rows = std::min(settings.fitted_rows, rows());
  const std::uint8_t* own = codes(target).codes.data();
  std::vector<std::uint8_t> out(columns.size());
  const auto drawn = [&](std::size_t c) {
    return std::ranges::any_of(targets, [&](const Target& one) { return one.drawn && one.place == static_cast<int>(c); });
  };
  const auto gaps = static_cast<double>(std::count(own, own + fitted_rows, std::uint8_t{0}));
  bool any = false;
  for (std::size_t c = 0; gaps > 0 && c < columns.size(); ++c) {
    const Binned& other = binned[c];
    if (static_cast<int>(c) == target.place || other.observed == other.fitted_rows || drawn(c)) continue;
    std::size_t both = 0, alone = 0;
    for (std::size_t row = 0; row < fitted_rows; ++row) {
      const std::size_t misses = other.codes[row] == 0;
      both += misses & (own[row] == 0);
      alone += misses & (own[row] != 0);
    }
    const double share = static_cast<double>(both) / gaps;
    const double learnt = static_cast<double>(alone) / std::max(static_cast<double>(fitted_rows) - gaps, 1.0);
    out[c] = static_cast<double>(both) >= kFewest && share >= kLeastShare && learnt < kMostRelativeShare * share;
    any |= out[c] != 0;
  }
  if (!any) return {{}, {}, target.train_rows};
  std::vector<const std::uint8_t*> stored;
  for (const Binned& one : binned) stored.push_back(one.codes.data());
  std::size_t have = 0, all = 0;
  for (std::size_t row = 0; row < rows(); ++row) {
    if (own[row] != 0) continue;
    ++all;
    have += !misses(stored, out, row);
  }
  if (have == 0) return {std::move(out), {}, target.train_rows};
  const bool few = static_cast<double>(have) < kFew * static_cast<double>(all);
  return {{}, std::move(out), few ? std::min(target.train_rows, kFewRows) : target.train_rows};
}

}  // namespace imputedb
