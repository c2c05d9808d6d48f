#include "trees/model.hpp"

#include <algorithm>
#include <array>

namespace imputedb {

std::vector<Feature> Model::seen(std::span<const std::uint8_t* const> codes) const {
  std::vector<Feature> out;
  for (std::size_t f = 0; f < features.size(); ++f)
    out.push_back({codes[static_cast<std::size_t>(features[f])], order[f].data()});
  return out;
}

Model::Nodes Model::nodes(std::span<const Feature> seen, std::span<const std::uint32_t> rows) const {
  Nodes out;
  for (const Tree& tree : trees) {
    out.emplace_back(rows.size());
    descended(tree, seen, 1, rows, out.back(), true);
  }
  return out;
}

std::vector<double> Model::predict(std::span<const std::uint8_t* const> codes,
                                   std::span<const std::uint32_t> rows) const {
  const std::vector<Feature> by = seen(codes);
  const Nodes at = nodes(by, rows);
  std::vector<double> out(rows.size());
  for (std::size_t f = 0; f < table.size(); ++f)
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] += table[f][by[f].codes[rows[i]]];
  for (std::size_t t = 0; t < trees.size(); ++t)
    for (std::size_t i = 0; i < rows.size(); ++i)
      spread(trees[t], by, rows[i], at[t][i], 1.0,
             [&](std::size_t leaf, double share) { out[i] += share * trees[t].nodes[leaf].value; });
  for (double& value : out) value = mean + scale * value;
  return out;
}

std::vector<std::int64_t> Model::categories(std::span<const std::uint8_t* const> codes,
                                            std::span<const std::uint32_t> rows) const {
  std::vector<std::int64_t> out(rows.size(), mode);
  if (scores.levels.empty()) return out;
  const std::vector<Feature> by = seen(codes);
  const Nodes at = nodes(by, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = category(by, at, i, rows[i]);
  return out;
}

std::int64_t Model::category(std::span<const Feature> seen, const Nodes& nodes, std::size_t place,
                             std::uint32_t row) const {
  std::array<float, kMaxBins> sum{};
  const std::size_t classes = scores.base.size();
  std::copy(scores.base.begin(), scores.base.end(), sum.begin());
  const auto add = [&](const Table& table, std::size_t place, float share) {
    const float* from = table.data() + place * classes;
    for (std::size_t c = 0; c < classes; ++c) sum[c] += share * from[c];
  };
  for (std::size_t f = 0; f < scores.features.size(); ++f) add(scores.features[f], seen[f].codes[row], 1.0F);
  for (std::size_t t = 0; t < trees.size(); ++t)
    spread(trees[t], seen, row, nodes[t][place], 1.0, [&](std::size_t leaf, double share) {
      add(scores.leaves, static_cast<std::size_t>(trees[t].nodes[leaf].leaf), static_cast<float>(share));
    });
  const auto end = sum.begin() + static_cast<std::ptrdiff_t>(scores.levels.size());
  return scores.levels[static_cast<std::size_t>(std::max_element(sum.begin(), end) - sum.begin())];
}

Model learnt(const TrainingData& training_data) {
  return training_data.target.nominal ? classification(training_data) : regression(training_data);
}

}  // namespace imputedb
