// Draws of one column: a tree on a bootstrap of the rows where it is observed, whose leaves have the values to draw
// from.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lesson.hpp"
#include "random.hpp"

namespace imputedb {

// What all draws of a column learn from.
struct Ground {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint64_t> keys;  // of the rows, hashed
  std::vector<float> y;             // by whose means categories are ordered
  std::vector<int> features;        // none where the column's observed values are all that is known
  std::vector<Order> orders;        // per feature
  Sample sample;
};
Ground ground(const Lesson& lesson);

// Observed rows by the leaves of a tree.
struct Donors {
  Tree tree;
  std::vector<Order> orders;
  std::vector<std::uint32_t> rows;    // leaf after leaf, as often as they are in the bootstrap
  std::vector<std::uint32_t> begins;  // per leaf, and where the last one ends

  bool known() const { return !rows.empty(); }
  std::span<const std::uint32_t> of(std::size_t node) const;
};

// The columns as a draw has them: by column of the table its codes, and whether other draws have others.
struct Codes {
  std::vector<const std::uint8_t*> now;
  std::vector<bool> drawn;
};

// Proper in Rubin's sense as far as the tree is (Burgette & Reiter 2010; approximate Bayesian bootstrap within leaves).
Donors donors(const Ground& ground, const std::vector<Binned>& columns, const Codes& codes, const Stream& bootstrap,
              const Settings& settings);

}  // namespace imputedb
