// A model of one column from the codes of others: what is learnt, and what it says of a row.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "binning.hpp"
#include "tree.hpp"

namespace imputedb {

struct Settings {
  int cycles = 2;
  int leaves = 64;
  int min_leaf = 10;
  bool draw = false;
  std::uint64_t seed = 0, draw_number = 0;
  std::size_t train_rows = 50000;
  int threads = 1;
};

enum class Kind : std::uint8_t { centre, linear, tree, linear_tree };

// y is about mean + sum over features of table[f][code] + sum over trees of the leaf's value.
struct Model {
  Kind kind = Kind::centre;
  double mean = 0;       // or the most frequent category
  bool classes = false;  // leaves hold categories
  std::vector<int> features;              // columns of the table, as the trees and tables number them
  std::vector<std::vector<float>> table;  // per feature and code; empty without a linear part
  std::vector<std::vector<std::uint8_t>> order;  // per feature: code as the trees see it; empty: as it is
  std::vector<Tree> trees;
  std::vector<std::vector<std::uint32_t>> donors;  // per leaf: rows of the table whose values may be drawn
  double error = 1;                       // held-out error relative to the centre's

  double predict(const std::vector<Binned>& columns, std::size_t row) const;
  const Node& leaf(const Tree& tree, const std::vector<Binned>& columns, std::size_t row) const;
};

// What a model is learnt from: the table's codes as they stand, the target's observed values, and keyed row numbers.
struct Lesson {
  const std::vector<Binned>& columns;
  const Column& target;
  int place;                        // of the target among the columns
  std::span<const std::uint64_t> keys;  // empty: row numbers
  const Settings& settings;
  int cycle;
  const std::atomic<bool>& stop;
};

Model learnt(const Lesson& lesson);

}  // namespace imputedb
