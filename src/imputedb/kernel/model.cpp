#include "model.hpp"

#include <algorithm>
#include <array>

namespace imputedb {

const Node& Model::leaf(const Tree& tree, const std::vector<Binned>& columns, std::size_t row) const {
  return tree.leaf([&](int f) {
    const auto place = static_cast<std::size_t>(f);
    return order[place][columns[static_cast<std::size_t>(features[place])].codes[row]];
  });
}

double Model::predict(const std::vector<Binned>& columns, std::size_t row) const {
  double value = 0;
  for (std::size_t f = 0; f < table.size(); ++f)
    value += table[f][columns[static_cast<std::size_t>(features[f])].codes[row]];
  for (const Tree& tree : trees) value += leaf(tree, columns, row).value;
  return mean + scale * value;
}

std::int64_t Model::category(const std::vector<Binned>& columns, std::size_t row) const {
  if (scores.levels.empty()) return mode;
  std::array<float, kMaxBins> sum{};
  const std::size_t classes = scores.base.size();
  std::copy(scores.base.begin(), scores.base.end(), sum.begin());
  const auto add = [&](const Table& table, std::size_t place) {
    const float* from = table.data() + place * classes;
    for (std::size_t c = 0; c < classes; ++c) sum[c] += from[c];
  };
  for (std::size_t f = 0; f < scores.features.size(); ++f)
    add(scores.features[f], columns[static_cast<std::size_t>(features[f])].codes[row]);
  for (const Tree& tree : trees) add(scores.leaves, static_cast<std::size_t>(leaf(tree, columns, row).leaf));
  const auto end = sum.begin() + static_cast<std::ptrdiff_t>(scores.levels.size());
  return scores.levels[static_cast<std::size_t>(std::max_element(sum.begin(), end) - sum.begin())];
}

Model learnt(const Lesson& lesson) { return lesson.target.nominal ? classification(lesson) : regression(lesson); }

}  // namespace imputedb
