// Reduced-error pruning: subtrees that do not lower the error of held-out rows are cut.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trees/tree.hpp"

namespace imputedb {

// The child to which row i of the sample descends.
inline std::size_t next_node(const Sample& sample, const Node& node, std::uint32_t i) {
  const std::uint8_t code = sample.row(i)[node.feature];
  return static_cast<std::size_t>((code == 0 ? node.missing_left : code <= node.threshold) ? node.left : node.right);
}

// Calls f(node, i) for each node on a row's path, from the root to its leaf.
template <class F>
void descend(const Tree& tree, const Sample& sample, std::uint32_t i, F&& f) {
  std::size_t node = 0;
  while (true) {
    f(node, i);
    if (tree.nodes[node].feature < 0) return;
    node = next_node(sample, tree.nodes[node], i);
  }
}

// Cuts, bottom up, every subtree that is no better than a leaf in its place (Quinlan 1987; REPTree). `loss` is, by
// node, the loss of the held-out rows that pass it if it is a leaf.
void prune(Tree& tree, std::span<const double> loss);

// The node in which each row of the sample ends; `grown_on` are training rows in the order that `grown` left them in.
std::vector<std::uint16_t> reached(const Tree& tree, const Sample& sample, std::span<const std::uint32_t> grown_on,
                                   std::span<const std::uint32_t> others);

// The leaf of each row of the sample, also from the nodes `reached` before the tree was pruned.
std::vector<std::uint16_t> leaves_of(const Tree& tree, std::vector<std::uint16_t> reached);
std::vector<std::uint16_t> leaves_of(const Tree& tree, const Sample& sample);

}  // namespace imputedb
