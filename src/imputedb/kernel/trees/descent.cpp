#include "trees/descent.hpp"

#include <algorithm>

namespace imputedb {
namespace {

constexpr std::size_t kAbreast = 16;  // rows that descend together, so that their memory accesses overlap

// A node in a form without branch instructions; a leaf leads to itself.
struct Step {
  Feature feature;
  std::uint8_t shift, limit;  // a row goes left if code - shift <= limit, modulo 256
  std::uint8_t known;         // 0 where rows that miss the feature stop
  std::array<std::uint16_t, 2> next;
};

std::vector<Step> steps_of(const Tree& tree, std::span<const Feature> features, bool stops) {
  std::vector<Step> out;
  for (std::size_t place = 0; place < tree.nodes.size(); ++place) {
    const Node& node = tree.nodes[place];
    const auto here = static_cast<std::uint16_t>(place);
    if (node.feature < 0) {
      out.push_back({features[0], 0, 255, 1, {here, here}});
      continue;
    }
    const std::uint8_t shift = node.missing_left ? 0 : 1;  // 1 makes code 0 the largest
    out.push_back({features[static_cast<std::size_t>(node.feature)],
                   shift,
                   static_cast<std::uint8_t>(node.threshold - shift),
                   static_cast<std::uint8_t>(stops && node.gapless ? 0 : 1),
                   {static_cast<std::uint16_t>(node.left), static_cast<std::uint16_t>(node.right)}});
  }
  return out;
}

}  // namespace

void descended(const Tree& tree, std::span<const Feature> features, std::size_t apart,
               std::span<const std::uint32_t> rows, std::span<std::uint16_t> out, bool stops) {
  std::fill(out.begin(), out.end(), std::uint16_t{0});
  if (tree.nodes[0].feature < 0) return;
  const std::vector<Step> steps = steps_of(tree, features, stops);
  for (std::size_t begin = 0; begin < rows.size(); begin += kAbreast) {
    const std::size_t count = std::min(kAbreast, rows.size() - begin);
    std::array<std::size_t, kAbreast> row;
    for (std::size_t i = 0; i < count; ++i) row[i] = rows[begin + i] * apart;
    std::uint16_t* at = out.data() + begin;
    for (unsigned moved = 1; moved != 0;) {
      moved = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const Step& step = steps[at[i]];
        const std::uint8_t code = step.feature.order[step.feature.codes[row[i]]];
        const std::uint16_t on = step.next[static_cast<std::uint8_t>(code - step.shift) > step.limit];
        const std::uint16_t next = (code | step.known) == 0 ? at[i] : on;
        moved |= static_cast<unsigned>(next ^ at[i]);
        at[i] = next;
      }
    }
  }
}

}  // namespace imputedb
