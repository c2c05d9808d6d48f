#include "model.hpp"

#include <algorithm>
#include <array>

namespace imputedb {

Model::Nodes Model::nodes(const std::vector<Binned>& columns, std::span<const std::uint32_t> rows) const {
  std::vector<Feature> seen;
  for (std::size_t f = 0; f < features.size(); ++f)
    seen.push_back({columns[static_cast<std::size_t>(features[f])].codes.data(), order[f].data()});
  Nodes out;
  for (const Tree& tree : trees) {
    out.emplace_back(rows.size());
    descended(tree, seen, 1, rows, out.back());
  }
  return out;
}

std::vector<double> Model::predict(const std::vector<Binned>& columns, std::span<const std::uint32_t> rows) const {
  const Nodes at = nodes(columns, rows);
  std::vector<double> out(rows.size());
  for (std::size_t f = 0; f < table.size(); ++f) {
    const std::uint8_t* codes = columns[static_cast<std::size_t>(features[f])].codes.data();
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] += table[f][codes[rows[i]]];
  }
  for (std::size_t t = 0; t < trees.size(); ++t)
    for (std::size_t i = 0; i < rows.size(); ++i) out[i] += trees[t].nodes[at[t][i]].value;
  for (double& value : out) value = mean + scale * value;
  return out;
}

std::vector<std::int64_t> Model::categories(const std::vector<Binned>& columns,
                                            std::span<const std::uint32_t> rows) const {
  std::vector<std::int64_t> out(rows.size(), mode);
  if (scores.levels.empty()) return out;
  const Nodes at = nodes(columns, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = category(columns, at, i, rows[i]);
  return out;
}

std::int64_t Model::category(const std::vector<Binned>& columns, const Nodes& nodes, std::size_t place,
                             std::uint32_t row) const {
  std::array<float, kMaxBins> sum{};
  const std::size_t classes = scores.base.size();
  std::copy(scores.base.begin(), scores.base.end(), sum.begin());
  const auto add = [&](const Table& table, std::size_t place) {
    const float* from = table.data() + place * classes;
    for (std::size_t c = 0; c < classes; ++c) sum[c] += from[c];
  };
  for (std::size_t f = 0; f < scores.features.size(); ++f)
    add(scores.features[f], columns[static_cast<std::size_t>(features[f])].codes[row]);
  for (std::size_t t = 0; t < trees.size(); ++t)
    add(scores.leaves, static_cast<std::size_t>(trees[t].nodes[nodes[t][place]].leaf));
  const auto end = sum.begin() + static_cast<std::ptrdiff_t>(scores.levels.size());
  return scores.levels[static_cast<std::size_t>(std::max_element(sum.begin(), end) - sum.begin())];
}

Model learnt(const Lesson& lesson) { return lesson.target.nominal ? classification(lesson) : regression(lesson); }

}  // namespace imputedb
