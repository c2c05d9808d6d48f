#include "donors.hpp"

#include <algorithm>

namespace imputedb {
namespace {

constexpr int kFewestDonors = 5;

void learn_from(const Lesson& lesson, Numbers numbers, Ground& out) {
  out.rows = std::move(numbers.rows);
  if (numbers.scale > 0) out.y = std::move(numbers.y);
  out.sample.y = out.y;
  if (out.rows.size() >= kFewestRows && !out.y.empty()) out.features = predictors(lesson, out.rows, out.y);
}

void learn_from(const Lesson& lesson, Classes classes, Ground& out) {
  out.y = classes.indicator(0);
  out.rows = std::move(classes.rows);
  out.sample.classes = classes.count();
  out.sample.k = std::move(classes.k);
  if (out.rows.size() >= kFewestRows && classes.count() > 1) out.features = predictors(lesson, out.rows, out.y);
}

}  // namespace

Ground ground(const Lesson& lesson) {
  Ground out;
  if (lesson.target.nominal)
    learn_from(lesson, classes(lesson), out);
  else
    learn_from(lesson, numbers(lesson), out);
  out.orders = gather(lesson, out.features, out.rows, out.y, out.sample);
  for (const std::uint32_t row : out.rows) out.keys.push_back(mixed(lesson.key(row)));
  return out;
}

std::span<const std::uint32_t> Donors::of(std::size_t node) const {
  const auto leaf = static_cast<std::size_t>(tree.nodes[node].leaf);
  return std::span(rows).subspan(begins[leaf], begins[leaf + 1] - begins[leaf]);
}

Donors donors(const Ground& ground, const std::vector<Binned>& columns, const Codes& codes, const Stream& bootstrap,
              const Settings& settings) {
  Donors out;
  if (ground.features.empty()) return out;
  out.orders = ground.orders;
  Sample own;
  const Sample* sample = &ground.sample;
  for (std::size_t place = 0; place < ground.features.size(); ++place) {
    const auto c = static_cast<std::size_t>(ground.features[place]);
    if (!codes.drawn[c]) continue;
    if (sample != &own) own = ground.sample;
    sample = &own;
    out.orders[place] = order_of(columns[c], codes.now[c], ground.rows, ground.y);
    put({codes.now[c], out.orders[place].data()}, place, ground.rows, own);
  }
  std::vector<std::uint32_t> order(ground.rows.size());
  std::vector<std::uint8_t> times(ground.rows.size());
  std::size_t picked = 0;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    times[i] = poisson_one(bootstrap.uniform_of(ground.keys[i]));
    order[picked] = i;
    picked += times[i] > 0;
  }
  order.resize(picked);
  if (order.empty()) return out;
  const Growth growth{settings.leaves, std::min(settings.min_leaf, kFewestDonors), sample->classes ? 1.0 : 3.0};
  out.tree = grown(*sample, order, growth, times);
  for (const Node& node : out.tree.nodes) {
    if (node.feature >= 0) continue;
    out.begins.push_back(static_cast<std::uint32_t>(out.rows.size()));
    for (const std::uint32_t i : std::span(order).subspan(node.begin, node.rows))
      out.rows.insert(out.rows.end(), times[i], ground.rows[i]);
  }
  out.begins.push_back(static_cast<std::uint32_t>(out.rows.size()));
  return out;
}

}  // namespace imputedb
