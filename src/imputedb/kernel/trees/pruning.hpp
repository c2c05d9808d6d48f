// Reduced-error pruning: what held-out rows do not speak for is cut.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trees/tree.hpp"

namespace imputedb {

// Node of the tree that the sample's row i comes to next.
inline std::size_t next_node(const Sample& sample, const Node& node, std::uint32_t i) {
  const std::uint8_t code = sample.row(i)[node.feature];
  return static_cast<std::size_t>((code == 0 ? node.missing_left : code <= node.threshold) ? node.left : node.right);
}

// Calls f(node, i) for every node that a row passes, from the root to its leaf.
template <class F>
void descend(const Tree& tree, const Sample& sample, std::uint32_t i, F&& f) {
  std::size_t node = 0;
  while (true) {
    f(node, i);
    if (tree.nodes[node].feature < 0) return;
    node = next_node(sample, tree.nodes[node], i);
  }
}

// Cuts, bottom up, every subtree that does no better than its root as a leaf (Quinlan 1987; REPTree). `loss` is per
// node: what the held-out rows that pass it lose if it is a leaf.
void prune(Tree& tree, std::span<const double> loss);

// Node that every row of the sample ends in; of those in `grown_on`, as `grown` left them, it is known.
std::vector<std::uint16_t> reached(const Tree& tree, const Sample& sample, std::span<const std::uint32_t> grown_on,
                                   std::span<const std::uint32_t> others);

// Leaf of every row of the sample; in a tree that was pruned since, also of what had been `reached` in it before.
std::vector<std::uint16_t> leaves_of(const Tree& tree, std::vector<std::uint16_t> reached);
std::vector<std::uint16_t> leaves_of(const Tree& tree, const Sample& sample);

}  // namespace imputedb
