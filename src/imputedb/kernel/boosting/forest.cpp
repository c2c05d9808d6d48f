#include "boosting/forest.hpp"

#include <algorithm>
#include <atomic>

#include "shared/pool.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kBlock = 256;
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
  if (forest.roots.empty()) return;
  const Split* nodes = forest.nodes.data();
  for (const std::int32_t root : forest.roots) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Split* node = nodes + root;
      while (node->feature >= 0) {
        const double value = x[static_cast<std::size_t>(node->feature) * count + static_cast<std::size_t>(rows[i])];
        node = nodes + (forest.left(*node, value) ? node->left : node->right);
      }
      out[i] += node->threshold;
    }
  }
}

bool Scorer::score(std::span<const double> x, std::size_t count, std::span<const std::int64_t> rows,
                   std::span<double> out, int threads, const std::function<bool(double)>& between) const {
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
    if (!stopped && between(static_cast<double>(done) / static_cast<double>(tasks))) stopped = true;
  });
  return !stopped;
}

}  // namespace imputedb
