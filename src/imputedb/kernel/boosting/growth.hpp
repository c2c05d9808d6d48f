// One tree on gradients, grown best first; siblings' histograms by subtraction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "boosting/bins.hpp"
#include "boosting/booster.hpp"

namespace imputedb {

// Codes of all features, those of a row side by side.
struct Coded {
  std::vector<Bins> bins;
  std::vector<std::size_t> starts;  // where each feature's bins begin in a histogram; the last one is its length
  std::vector<std::uint8_t> codes;

  std::size_t width() const { return bins.size(); }
  const std::uint8_t* row(std::size_t i) const { return codes.data() + i * width(); }
};

Coded coded(const Examples& examples);

// Adds a tree to a forest; `rows` are those that are learnt from, and are reordered. `out` gets what it adds to them.
void grow(const Coded& data, const BoostingSettings& settings, std::span<const double> gradients,
          std::span<const double> curvatures, std::span<std::uint32_t> rows, Forest& forest, std::span<double> out);

}  // namespace imputedb
