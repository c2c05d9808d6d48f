// Rows on their way down a tree, many abreast.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <span>

#include "tree.hpp"

namespace imputedb {

using Order = std::array<std::uint8_t, 256>;  // per code, the one that trees see

inline constexpr Order kAsItIs = [] {
  Order order{};
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  return order;
}();

// A predictor of a tree: where the codes of the rows begin, and their order.
struct Feature {
  const std::uint8_t* codes;
  const std::uint8_t* order;
};

// Per row the node that it ends in; codes of successive rows are `apart` bytes from each other.
void descended(const Tree& tree, std::span<const Feature> features, std::size_t apart,
               std::span<const std::uint32_t> rows, std::span<std::uint16_t> out);

}  // namespace imputedb
