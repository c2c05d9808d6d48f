// Gradient boosting of histogram trees (Friedman 2001; Ke et al. 2017), for numbers and for categories.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "boosting/forest.hpp"

namespace imputedb {

enum class Loss { squared, logistic, softmax };

struct BoostingSettings {
  Loss loss = Loss::squared;
  int classes = 1;  // scores of a row: 1, or one a category
  int rounds = 100;
  int patience = 10;  // rounds without a smaller held-out loss after which it ends
  int leaves = 16, depth = 8, min_leaf = 20;
  double rate = 0.1, l2 = 1;
};

// What is learnt from: n rows, a line of n values a feature.
struct Examples {
  std::span<const double> x;
  std::span<const std::int32_t> levels;  // a feature's, 0 of numbers
  std::span<const double> y;             // numbers, or places of categories
  std::span<const double> weight;        // 0 for rows that are not learnt from
  std::span<const std::uint8_t> held;    // rows of weight 0 that say when to end
  std::span<double> scores;              // (classes, n) where boosting starts, and what it comes to
};

struct Boosted {
  std::vector<Forest> forests;  // one a score
  std::vector<double> losses;   // of held rows, at first and after each round; none without such rows
  bool finished = true;
};

// Rounds after that of the smallest held-out loss are taken back, in the scores too.
Boosted boosted(const Examples& examples, const BoostingSettings& settings, const std::function<bool(double)>& between);

}  // namespace imputedb
