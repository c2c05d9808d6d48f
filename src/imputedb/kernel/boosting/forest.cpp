#include "boosting/forest.hpp"

#include <algorithm>
#include <array>
#include <atomic>

#include "shared/pool.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kBlock = 256;
constexpr std::size_t kTogether = 32;
constexpr std::size_t kTask = 64 * kBlock;

}  // namespace

void Scorer::block(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows,
                   double* out) const {
  std::fill_n(out, rows.size(), intercept);
  for (const Term& term : terms) {
    const double* values = x.data() + static_cast<std::size_t>(term.feature) * count;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double value = values[rows[i]];
      if (value != value)
        out[i] += term.absent;
      else if (term.steps >= 0)
        out[i] += steps[static_cast<std::size_t>(term.steps) + static_cast<std::size_t>(value)];
      else
        out[i] += (value - term.centre) * term.slope;
    }
  }
  for (std::size_t at = 0; !forest.roots.empty() && at < rows.size(); at += kTogether)
    trees(x, count, rows.subspan(at, std::min(kTogether, rows.size() - at)), out + at);
}

// Several rows descend each tree side by side, so that their memory accesses overlap.
void Scorer::trees(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows,
                   double* out) const {
  const std::size_t width = x.size() / count, size = rows.size();
  std::vector<double> values(size * width);
  for (std::size_t f = 0; f < width; ++f)
    for (std::size_t i = 0; i < size; ++i) values[i * width + f] = x[f * count + static_cast<std::size_t>(rows[i])];
  const Split* nodes = forest.nodes.data();
  std::array<std::int32_t, kTogether> at;
  for (const std::int32_t root : forest.roots) {
    at.fill(root);
    bool moving = nodes[root].feature >= 0;
    while (moving) {
      moving = false;
      for (std::size_t i = 0; i < size; ++i) {
        const Split& node = nodes[at[i]];
        if (node.feature < 0) continue;
        const double value = values[i * width + static_cast<std::size_t>(node.feature)];
        const bool gone = value != value;
        const bool left = node.set < 0 || gone ? (value <= node.threshold) | (gone & node.missing_left)
                                               : forest.among(node, value);
        at[i] = node.left + !left;
        moving = true;
      }
    }
    for (std::size_t i = 0; i < size; ++i) out[i] += nodes[at[i]].threshold;
  }
}

bool Scorer::score(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows,
                   std::span<double> out, int threads, const std::function<bool(double)>& progress) const {
  const std::size_t tasks = (rows.size() + kTask - 1) / kTask;
  std::atomic<bool> stopped = false;
  std::atomic<std::size_t> done = 0;
  const auto task = [&](std::size_t number) {
    const std::size_t end = std::min(rows.size(), (number + 1) * kTask);
    for (std::size_t at = number * kTask; at < end && !stopped; at += kBlock)
      block(x, count, rows.subspan(at, std::min(kBlock, end - at)), out.data() + at);
    ++done;
  };
  if (tasks < 2) {
    if (tasks == 1) task(0);
    return true;
  }
  Pool pool(threads);
  pool.run(tasks, task, [&] {
    if (!stopped && progress(static_cast<double>(done) / static_cast<double>(tasks))) stopped = true;
  });
  return !stopped;
}

}  // namespace imputedb
