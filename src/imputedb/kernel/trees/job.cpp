#include "trees/job.hpp"

#include <algorithm>

namespace imputedb {
namespace {

constexpr double kSome = 0.05;   // share of a target's gaps that miss a column too, from which on it matters
constexpr double kFewest = 5;    // such rows
constexpr double kNearlyAll = 0.9;  // share of the gaps from which on a model of the other rows is not worth its time
constexpr double kSeldom = 0.25; // of that share, the share among the rows that are learnt from

}  // namespace

Together Job::together(const Target& target, const Settings& settings) const {
  const std::size_t taught = std::min(settings.taught, rows());
  const std::uint8_t* own = codes(target).codes.data();
  std::vector<std::uint8_t> out(columns.size());
  const auto drawn = [&](std::size_t c) {
    return std::ranges::any_of(targets, [&](const Target& one) { return one.drawn && one.place == static_cast<int>(c); });
  };
  const auto gaps = static_cast<double>(std::count(own, own + taught, std::uint8_t{0}));
  bool any = false;
  for (std::size_t c = 0; gaps > 0 && c < columns.size(); ++c) {
    const Binned& other = binned[c];
    if (static_cast<int>(c) == target.place || other.observed == other.taught || drawn(c)) continue;
    std::size_t both = 0, alone = 0;
    for (std::size_t row = 0; row < taught; ++row) {
      const std::size_t misses = other.codes[row] == 0;
      both += misses & (own[row] == 0);
      alone += misses & (own[row] != 0);
    }
    const double share = static_cast<double>(both) / gaps;
    const double learnt = static_cast<double>(alone) / std::max(static_cast<double>(taught) - gaps, 1.0);
    out[c] = static_cast<double>(both) >= kFewest && share >= kSome && learnt < kSeldom * share;
    any |= out[c] != 0;
  }
  if (!any) return {};
  std::size_t apart = 0;
  for (std::size_t row = 0; row < taught; ++row) {
    if (own[row] != 0) continue;
    for (std::size_t c = 0; c < out.size(); ++c)
      if (out[c] != 0 && binned[c].codes[row] == 0) {
        ++apart;
        break;
      }
  }
  if (static_cast<double>(apart) >= kNearlyAll * gaps) return {std::move(out), {}};
  return {{}, std::move(out)};
}

}  // namespace imputedb
