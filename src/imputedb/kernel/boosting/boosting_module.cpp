// Python bindings of boosting and of its forests. Arrays are filled in place, without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "boosting/booster.hpp"
#include "shared/arrays.hpp"
#include "shared/caller.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace imputedb {
namespace {

nb::tuple plain(const Forest& forest) {
  std::vector<double> thresholds;
  std::vector<std::int32_t> features, left, right, sets;
  std::vector<std::uint8_t> missing;
  for (const Split& node : forest.nodes) {
    thresholds.push_back(node.threshold), features.push_back(node.feature), left.push_back(node.left);
    right.push_back(node.left + 1), sets.push_back(node.set), missing.push_back(node.missing_left);
  }
  return nb::make_tuple(forest.roots, features, thresholds, left, right, missing, sets, forest.sets);
}

// Loss 0 is squared, 1 logistic, 2 softmax.
nb::tuple boost(const Array<double>& x, const Array<std::int32_t>& levels, const Array<double>& y,
                const Array<double>& weight, const Array<std::uint8_t>& held, const Place<double>& scores, int loss,
                int classes, int rounds, int patience, int leaves, int depth, int min_leaf, double rate, double l2,
                nb::object progress) {
  const std::size_t n = y.shape(0);
  if (x.shape(0) != n * levels.shape(0) || levels.shape(0) == 0 || weight.shape(0) != n || held.shape(0) != n ||
      scores.shape(0) != n * static_cast<std::size_t>(classes) || loss < 0 || loss > 2 || classes < 1)
    throw nb::value_error("arrays of lengths that do not fit each other");
  const Examples examples{read(x), read(levels), read(y), read(weight), read(held), {scores.data(), scores.shape(0)}};
  for (std::size_t f = 0; f < levels.shape(0); ++f)
    if (const std::int32_t most = levels.data()[f]; most > 0)
      for (const double value : examples.x.subspan(f * n, n))
        if (value < 0 || value >= most) throw nb::value_error("a category is none of its levels");
  const BoostingSettings settings{static_cast<Loss>(loss), classes, rounds, patience, leaves, depth, min_leaf, rate, l2};
  Caller caller(std::move(progress));
  Boosted found;
  {
    const nb::gil_scoped_release unlocked;
    found = boosted(examples, settings, [&](double share) { return caller(share); });
  }
  if (!found.finished) throw nb::python_error();
  nb::list forests;
  for (const Forest& forest : found.forests) forests.append(plain(forest));
  return nb::make_tuple(forests, found.losses);
}

void construct(Scorer* self, double intercept, const std::vector<std::int32_t>& features,
               const std::vector<std::int32_t>& starts, const std::vector<double>& centres,
               const std::vector<double>& slopes, const std::vector<double>& absent, std::vector<double> steps,
               std::vector<std::int32_t> roots, const Array<std::int32_t>& split, const Array<double>& thresholds,
               const Array<std::int32_t>& left, const Array<std::int32_t>& right, const Array<std::uint8_t>& missing,
               const Array<std::int32_t>& sets, const Array<std::uint64_t>& words) {
  new (self) Scorer;
  self->intercept = intercept;
  for (std::size_t i = 0; i < features.size(); ++i)
    self->terms.push_back({features[i], starts.at(i), centres.at(i), slopes.at(i), absent.at(i)});
  self->steps = std::move(steps);
  self->forest.roots = std::move(roots);
  self->forest.sets.assign(words.data(), words.data() + words.shape(0));
  for (std::size_t i = 0; i < split.shape(0); ++i) {
    if (split.data()[i] >= 0 && right.data()[i] != left.data()[i] + 1)
      throw nb::value_error("the right node follows the left one");
    self->forest.nodes.push_back(
        {thresholds.data()[i], split.data()[i], left.data()[i], sets.data()[i], missing.data()[i] != 0});
  }
}

void score(const Scorer& self, const nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>& x,
           const Array<std::int64_t>& rows, const Place<double>& out, int threads, nb::object progress) {
  if (out.shape(0) != rows.shape(0)) throw nb::value_error("arrays of lengths that do not fit each other");
  const std::span<const double> values(x.data(), x.shape(0) * x.shape(1));
  Caller caller(std::move(progress));
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = self.score(values, x.shape(1), read(rows), {out.data(), out.shape(0)}, threads,
                          [&](double share) { return caller(share); });
  }
  if (!finished) throw nb::python_error();
}

double score_one(const Scorer& self, const nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>& x) {
  const std::int64_t row = 0;
  double out = 0;
  self.score({x.data(), x.shape(0) * x.shape(1)}, x.shape(1), {&row, 1}, {&out, 1}, 1, [](double) { return false; });
  return out;
}

}  // namespace

void bind_boosting(nb::module_& m) {
  m.def("boost", &boost, "x"_a, "levels"_a, "y"_a, "weight"_a, "held"_a, "scores"_a, "loss"_a, "classes"_a, "rounds"_a,
        "patience"_a, "leaves"_a, "depth"_a, "min_leaf"_a, "rate"_a, "l2"_a, "progress"_a.none());
  nb::class_<Scorer>(m, "Scorer")
      .def("__init__", &construct)
      .def("score", &score, "x"_a, "rows"_a, "out"_a, "threads"_a, "progress"_a.none())
      .def("score_one", &score_one, "x"_a);
}

}  // namespace imputedb
