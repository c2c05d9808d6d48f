// A model of one column from the codes of others, and what it says of a row.
#pragma once

#include <cstdint>
#include <vector>

#include "trees/lesson.hpp"
#include "trees/leaf_model.hpp"

namespace imputedb {

enum class Kind : std::uint8_t { centre, linear, tree, linear_tree };

// Scores of the classes: per feature and code, and per leaf, a number a class. The highest sum is the answer.
struct Scores {
  std::vector<std::int64_t> levels;  // category of each class; empty for a regression and where the mode is the answer
  std::vector<float> base;
  std::vector<Table> features;  // [code * classes + class]; empty without a linear part
  Table leaves;                 // [leaf * classes + class]
};

// y is about mean + scale * (sum over features of table[f][code] + sum over trees of the leaf's value).
struct Model {
  Kind kind = Kind::centre;
  double mean = 0;
  std::int64_t mode = 0;  // the most frequent category
  double scale = 1;
  std::vector<int> features;  // columns of the table, as the trees and tables number them
  std::vector<Table> table;   // per feature and code; empty without a linear part
  std::vector<Order> order;   // per feature
  std::vector<Tree> trees;
  Scores scores;
  double error = 1;  // held-out error relative to the centre's

  // The values of some rows: of a column of numbers, and of one of categories. Codes are given by column of the table.
  // A row that misses what a split was learnt without counts for both of its sides, by the rows there.
  std::vector<double> predict(std::span<const std::uint8_t* const> codes, std::span<const std::uint32_t> rows) const;
  std::vector<std::int64_t> categories(std::span<const std::uint8_t* const> codes,
                                       std::span<const std::uint32_t> rows) const;

 private:
  using Nodes = std::vector<std::vector<std::uint16_t>>;  // by tree, of every row

  std::vector<Feature> seen(std::span<const std::uint8_t* const> codes) const;
  Nodes nodes(std::span<const Feature> seen, std::span<const std::uint32_t> rows) const;
  std::int64_t category(std::span<const Feature> seen, const Nodes& nodes, std::size_t place, std::uint32_t row) const;
};

Model learnt(const Lesson& lesson);

// Numbers: a ridge regression, then up to three trees on what is left, each only if held-out rows speak for it.
Model regression(const Lesson& lesson);

// Categories: class shares by a tree, by linear scores, or their sum, as held-out rows say.
Model classification(const Lesson& lesson);

}  // namespace imputedb
