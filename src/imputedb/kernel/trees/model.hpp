// A model of one column given the codes of others, and its predictions.
#pragma once

#include <cstdint>
#include <vector>

#include "trees/leaf_model.hpp"
#include "trees/training_data.hpp"

namespace imputedb {

enum class Kind : std::uint8_t { centre, linear, tree, linear_tree };

// Scores of classes: numbers by class for each feature and code, and for each leaf. The class with the largest sum
// wins.
struct Scores {
  std::vector<std::int64_t> levels;  // the category of each class; empty for a regression, or if the mode is predicted
  std::vector<float> base;
  std::vector<Table> features;  // [code * classes + class]; empty without a linear part
  Table leaves;                 // [leaf * classes + class]
};

// A model: y = mean + scale * (sum over features of table[f][code] + sum over trees of the leaf's value).
struct Model {
  Kind kind = Kind::centre;
  double mean = 0;
  std::int64_t mode = 0;  // the most frequent category
  double scale = 1;
  std::vector<int> features;  // the columns of the features, in the numbering of trees and tables
  std::vector<Table> table;   // by feature and code; empty without a linear part
  std::vector<Order> order;   // by feature
  std::vector<Tree> trees;
  Scores scores;
  double error = 1;  // the held-out error relative to the centre's

  // Predictions for some rows: numbers, or categories. Codes are given by column of the table. A row that misses a
  // feature which no training row missed is averaged over both sides of the split, weighted by their rows.
  std::vector<double> predict(std::span<const std::uint8_t* const> codes, std::span<const std::uint32_t> rows) const;
  std::vector<std::int64_t> categories(std::span<const std::uint8_t* const> codes,
                                       std::span<const std::uint32_t> rows) const;

 private:
  using Nodes = std::vector<std::vector<std::uint16_t>>;  // by tree, the node of every row

  std::vector<Feature> seen(std::span<const std::uint8_t* const> codes) const;
  Nodes nodes(std::span<const Feature> seen, std::span<const std::uint32_t> rows) const;
  std::int64_t category(std::span<const Feature> seen, const Nodes& nodes, std::size_t place, std::uint32_t row) const;
};

Model learnt(const TrainingData& training_data);

// A model of numbers: a ridge regression, then up to three trees on its residuals; each is kept if held-out error
// falls.
Model regression(const TrainingData& training_data);

// A model of categories: class shares by a tree, by linear scores, or by their sum, chosen by held-out rows.
Model classification(const TrainingData& training_data);

}  // namespace imputedb
