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
  int classes = 1;  // scores of a row: 1, or one for each category
  int rounds = 100;
  int patience = 10;  // rounds without a smaller held-out loss after which boosting ends
  int leaves = 16, depth = 8, min_leaf = 20;
  double rate = 0.1, l2 = 1;
};

// Training data: n rows, stored as n values for each feature.
struct Examples {
  std::span<const double> x;
  std::span<const std::int32_t> levels;  // numbers of levels; 0 for numbers
  std::span<const double> y;             // the target: numbers, or codes of categories
  std::span<const double> weight;        // 0 for rows that are not trained on
  std::span<const std::uint8_t> held;    // held-out rows, of weight 0, whose loss decides when boosting ends
  std::span<double> scores;              // (classes, n) the first scores, which are updated
};

struct Boosted {
  std::vector<Forest> forests;  // one for each score
  std::vector<double> losses;   // mean losses of held-out rows, at first and after each round; empty without such rows
  bool finished = true;
};

// Boosts the scores. Rounds after the one with the smallest held-out loss are undone, in the scores too.
Boosted boosted(const Examples& examples, const BoostingSettings& settings,
                const std::function<bool(double)>& progress);

}  // namespace imputedb
