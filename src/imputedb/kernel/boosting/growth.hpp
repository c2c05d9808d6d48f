// Growth of one tree on gradients, best split first; a sibling's histogram is found by subtraction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boosting/bins.hpp"
#include "boosting/booster.hpp"

namespace imputedb {

// The codes of all features, row by row.
struct Coded {
  std::vector<Bins> bins;
  std::vector<std::size_t> starts;  // the first bin of each feature in a histogram; then the histogram's length
  std::vector<std::uint8_t> codes;

  std::size_t width() const { return bins.size(); }
  const std::uint8_t* row(std::size_t i) const { return codes.data() + i * width(); }
};

Coded coded(const Examples& examples);

// Adds a tree to a forest. `rows` are the training rows, which are reordered. The tree's values are added to `out`.
void grow(const Coded& data, const BoostingSettings& settings, std::span<const double> gradients,
          std::span<const double> curvatures, std::span<std::uint32_t> rows, Forest& forest, std::span<double> out);

}  // namespace imputedb
