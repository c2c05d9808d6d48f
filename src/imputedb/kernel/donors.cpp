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

// Rows of the sample that are in a bootstrap, and how often each of all is.
struct Picked {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint8_t> times;
  std::size_t count = 0;
};

Picked picked(const Ground& ground, const Stream& bootstrap) {
  Picked out{std::vector<std::uint32_t>(ground.rows.size()), std::vector<std::uint8_t>(ground.rows.size())};
  std::size_t some = 0;
  for (std::uint32_t i = 0; i < out.rows.size(); ++i) {
    out.times[i] = poisson_one(bootstrap.uniform_of(ground.keys[i]));
    out.rows[some] = i;
    some += out.times[i] > 0;
    out.count += out.times[i];
  }
  out.rows.resize(some);
  return out;
}

// The sample with the codes that features have in this draw, of which it puts the orders.
Sample redrawn(const Ground& ground, const std::vector<Binned>& columns, const Codes& codes,
               std::vector<Order>& orders) {
  Sample out = ground.sample;
  for (std::size_t place = 0; place < ground.features.size(); ++place) {
    const auto c = static_cast<std::size_t>(ground.features[place]);
    if (!codes.drawn[c]) continue;
    orders[place] = order_of(columns[c], codes.now[c], ground.rows, ground.y);
    put({codes.now[c], orders[place].data()}, place, ground.rows, out);
  }
  return out;
}

void fill_leaves(Donors& out, const Ground& ground, const Picked& picked) {
  constexpr std::size_t kUsual = 4;  // times that are written at once; a row is hardly ever in a bootstrap more often
  out.rows.resize(picked.count + kUsual);
  std::uint32_t* to = out.rows.data();
  for (const Node& node : out.tree.nodes) {
    if (node.feature >= 0) continue;
    out.begins.push_back(static_cast<std::uint32_t>(to - out.rows.data()));
    for (const std::uint32_t i : std::span(picked.rows).subspan(node.begin, node.rows)) {
      std::fill_n(to, kUsual, ground.rows[i]);
      if (picked.times[i] > kUsual) std::fill_n(to, picked.times[i], ground.rows[i]);
      to += picked.times[i];
    }
  }
  out.begins.push_back(static_cast<std::uint32_t>(picked.count));
  out.rows.resize(picked.count);
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
  Picked some = picked(ground, bootstrap);
  if (some.rows.empty()) return out;
  out.orders = ground.orders;
  const bool differs =
      std::ranges::any_of(ground.features, [&](int f) { return codes.drawn[static_cast<std::size_t>(f)]; });
  const Sample own = differs ? redrawn(ground, columns, codes, out.orders) : Sample{};
  const Growth growth{settings.leaves, std::min(settings.min_leaf, kFewestDonors), ground.sample.classes ? 1.0 : 3.0};
  out.tree = grown(differs ? own : ground.sample, some.rows, growth, some.times);
  fill_leaves(out, ground, some);
  return out;
}

}  // namespace imputedb
