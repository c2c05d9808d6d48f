// The descent of rows in a tree, many at a time.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <span>

#include "trees/tree.hpp"

namespace imputedb {

using Order = std::array<std::uint8_t, 256>;  // by code, the code that trees see

inline constexpr Order kAsItIs = [] {
  Order order{};
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  return order;
}();

// A predictor of a tree: the codes of the rows, and their order.
struct Feature {
  const std::uint8_t* codes;
  const std::uint8_t* order;
};

// The node in which each row ends. Codes of successive rows are `apart` bytes from each other. With `stops`, a row that
// misses a feature ends at the first node whose split is unknown for it, as hardly any training row missed that
// feature.
void descended(const Tree& tree, std::span<const Feature> features, std::size_t apart,
               std::span<const std::uint32_t> rows, std::span<std::uint16_t> out, bool stops = false);

// The share of the rows of a split that went right.
inline double right_share(const Tree& tree, const Node& node) {
  const double left = tree.nodes[static_cast<std::size_t>(node.left)].rows;
  const double right = tree.nodes[static_cast<std::size_t>(node.right)].rows;
  return right / (left + right);
}

// The leaf of one row, from a node at which it stopped. It goes right where chance(node) is below the share of rows
// there.
template <class Chance>
std::size_t lost(const Tree& tree, std::span<const Feature> features, std::uint32_t row, std::size_t at,
                 Chance&& chance) {
  while (tree.nodes[at].feature >= 0) {
    const Node& node = tree.nodes[at];
    const Feature& feature = features[static_cast<std::size_t>(node.feature)];
    const std::uint8_t code = feature.order[feature.codes[row]];
    const bool left = code != 0 ? code <= node.threshold
                                : (node.gapless ? chance(at) >= right_share(tree, node) : node.missing_left);
    at = static_cast<std::size_t>(left ? node.left : node.right);
  }
  return at;
}

// Calls visit(leaf, share) for each leaf that a row may end in from a node, with its probability by the shares of rows.
template <class Visitor>
void spread(const Tree& tree, std::span<const Feature> features, std::uint32_t row, std::size_t at, double share,
            const Visitor& visit) {
  const Node& node = tree.nodes[at];
  if (node.feature < 0) return visit(at, share);
  const Feature& feature = features[static_cast<std::size_t>(node.feature)];
  const std::uint8_t code = feature.order[feature.codes[row]];
  if (code != 0 || !node.gapless) {
    const bool left = code != 0 ? code <= node.threshold : node.missing_left;
    return spread(tree, features, row, static_cast<std::size_t>(left ? node.left : node.right), share, visit);
  }
  const double right = right_share(tree, node);
  spread(tree, features, row, static_cast<std::size_t>(node.left), share * (1 - right), visit);
  spread(tree, features, row, static_cast<std::size_t>(node.right), share * right, visit);
}

}  // namespace imputedb
