#include <algorithm>

#include "model.hpp"
#include "pruning.hpp"
#include "random.hpp"

namespace imputedb {
namespace {

constexpr std::uint64_t kBootstrap = 3;
constexpr int kFewestDonors = 5;

}  // namespace

void grow_donors(const Lesson& lesson, const std::vector<std::uint32_t>& rows, const Sample& sample, Model& model) {
  const Stream stream(lesson.settings.seed, lesson.settings.draw_number, static_cast<std::uint64_t>(lesson.cycle),
                      static_cast<std::uint64_t>(lesson.place), kBootstrap);
  std::vector<std::uint32_t> picked;
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    for (int times = poisson_one(stream.uniform(lesson.key(rows[i]))); times > 0; --times) picked.push_back(i);
  if (picked.empty()) return;
  const Growth growth{lesson.settings.leaves, std::min(lesson.settings.min_leaf, kFewestDonors),
                      sample.classes ? 1.0 : 3.0};
  std::vector<std::uint32_t> order = picked;
  Tree tree = grown(sample, order, growth);
  const std::vector<std::uint16_t> leaves = leaves_of(tree, sample);
  model.donors.resize(static_cast<std::size_t>(tree.leaves));
  for (std::uint32_t i : picked) model.donors[leaves[i]].push_back(rows[i]);
  model.trees.push_back(std::move(tree));
  model.kind = Kind::tree;
}

}  // namespace imputedb
