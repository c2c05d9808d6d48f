#include "trees/pruning.hpp"

#include <algorithm>
#include <numeric>

#include "trees/descent.hpp"

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

namespace {

// Sets the nodes in which some rows of the sample end.
void go_down(const Tree& tree, const Sample& sample, std::span<const std::uint32_t> rows,
             std::vector<std::uint16_t>& out) {
  std::vector<Feature> features;
  for (std::size_t f = 0; f < sample.width(); ++f) features.push_back({sample.codes.data() + f, kAsItIs.data()});
  std::vector<std::uint16_t> nodes(rows.size());
  descended(tree, features, sample.width(), rows, nodes);
  for (std::size_t i = 0; i < rows.size(); ++i) out[rows[i]] = nodes[i];
}

}  // namespace

std::vector<std::uint16_t> reached(const Tree& tree, const Sample& sample, std::span<const std::uint32_t> grown_on,
                                   std::span<const std::uint32_t> others) {
  std::vector<std::uint16_t> out(sample.rows());
  for (std::size_t place = 0; place < tree.nodes.size(); ++place) {
    const Node& node = tree.nodes[place];
    if (node.feature >= 0) continue;
    for (const std::uint32_t row : grown_on.subspan(node.begin, node.rows))
      out[row] = static_cast<std::uint16_t>(place);
  }
  go_down(tree, sample, others, out);
  return out;
}

std::vector<std::uint16_t> leaves_of(const Tree& tree, const Sample& sample) {
  std::vector<std::uint32_t> rows(sample.rows());
  std::iota(rows.begin(), rows.end(), 0U);
  std::vector<std::uint16_t> nodes(rows.size());
  go_down(tree, sample, rows, nodes);
  return leaves_of(tree, std::move(nodes));
}

std::vector<std::uint16_t> leaves_of(const Tree& tree, std::vector<std::uint16_t> reached) {
  std::vector<std::uint16_t> leaf(tree.nodes.size());
  std::vector<std::uint8_t> cut(tree.nodes.size());
  for (std::size_t place = 0; place < tree.nodes.size(); ++place) {  // children come after their parents
    const Node& node = tree.nodes[place];
    if (cut[place] == 0) leaf[place] = static_cast<std::uint16_t>(node.leaf);
    if (node.left < 0) continue;
    for (const int child : {node.left, node.right}) {
      leaf[static_cast<std::size_t>(child)] = leaf[place];
      cut[static_cast<std::size_t>(child)] = node.feature < 0 || cut[place] != 0;
    }
  }
  for (std::uint16_t& node : reached) node = leaf[node];
  return reached;
}

}  // namespace imputedb
