#include "pruning.hpp"

namespace imputedb {

void prune(Tree& tree, std::span<const double> loss) {
  std::vector<double> best(loss.begin(), loss.end());
  for (std::size_t node = tree.nodes.size(); node-- > 0;) {  // children come after their parents
    Node& here = tree.nodes[node];
    if (here.feature < 0) continue;
    const double below = best[static_cast<std::size_t>(here.left)] + best[static_cast<std::size_t>(here.right)];
    if (best[node] <= below)
      here.feature = -1;
    else
      best[node] = below;
  }
  int number = 0;
  for (Node& node : tree.nodes) node.leaf = node.feature < 0 ? number++ : -1;
  tree.leaves = number;
}

std::vector<std::uint16_t> leaves_of(const Tree& tree, const Sample& sample) {
  std::vector<std::uint16_t> out(sample.rows());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Node& leaf = tree.leaf([&](int f) { return sample.codes[static_cast<std::size_t>(f)][i]; });
    out[i] = static_cast<std::uint16_t>(leaf.leaf);
  }
  return out;
}

}  // namespace imputedb
