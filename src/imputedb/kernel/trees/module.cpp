// Python bindings of chained trees, and the kernel's module. Buffers are filled without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>

#include "shared/caller.hpp"
#include "trees/chain.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace imputedb {

void bind_neighbours(nb::module_& m);
void bind_equations(nb::module_& m);
void bind_boosting(nb::module_& m);

namespace {

using AnyArray = nb::ndarray<nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Keys = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Type type_of(const AnyArray& array) {
  const nb::dlpack::dtype d = array.dtype();
  const bool is_float = d.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float);
  const bool is_signed = d.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Int);
  if (is_float) return d.bits == 64 ? Type::f64 : Type::f32;
  switch (d.bits) {
    case 64: return is_signed ? Type::i64 : Type::u64;
    case 32: return is_signed ? Type::i32 : Type::u32;
    case 16: return is_signed ? Type::i16 : Type::u16;
    default: return is_signed ? Type::i8 : Type::u8;
  }
}

Column picked(const nb::tuple& ranks_and_places) {
  const auto& ranks = nb::cast<const Ranks&>(ranks_and_places[0]);
  const auto places = nb::cast<Places>(ranks_and_places[1]);
  const std::span<const std::int64_t> all(places.data(), places.shape(0));
  const auto size = static_cast<std::int64_t>(ranks.ranks.size());
  if (std::any_of(all.begin(), all.end(), [size](std::int64_t place) { return place < 0 || place >= size; }))
    throw nb::value_error("a place is none of the column's rows");
  Column column;
  column.rows = places.shape(0);
  column.nominal = ranks.nominal;
  column.graded = ranks.graded;
  column.ranks = &ranks;
  column.places = places.data();
  return column;
}

std::vector<Column> columns_of(nb::list values, nb::list missing, const std::vector<int>& categories) {
  std::vector<Column> out;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    if (nb::isinstance<nb::tuple>(values[i])) {
      out.push_back(picked(nb::cast<nb::tuple>(values[i])));
      continue;
    }
    const auto array = nb::cast<AnyArray>(values[i]);
    Column column{array.data(), nullptr, array.shape(0), type_of(array), categories[i] != 0, categories[i] == 2};
    if (!missing[i].is_none()) column.missing = nb::cast<Flags>(missing[i]).data();
    out.push_back(column);
  }
  return out;
}

// Fills missing cells. `categories` has 0 for a column of numbers, 1 for nominal and 2 for ordered categories.
nb::tuple fill(nb::list values, nb::list missing, const std::vector<int>& categories,
               const std::vector<std::tuple<int, std::size_t, bool>>& targets, nb::list outputs,
               std::optional<Keys> keys, std::optional<Places> of_draw, int cycles, int leaves, int min_leaf,
               std::uint64_t seed, const std::vector<std::uint64_t>& draws, std::size_t fitted_rows, int threads,
               nb::object progress) {
  const std::vector<Column> columns = columns_of(values, missing, categories);
  std::vector<Target> asked;
  for (const auto& [place, train_rows, drawn] : targets) asked.push_back({place, train_rows, drawn});
  std::vector<void*> places;
  for (nb::handle output : outputs) places.push_back(nb::cast<AnyArray>(output).data());
  Marks marks;
  if (keys) marks.keys = {keys->data(), keys->shape(0)};
  if (of_draw) marks.draws = {of_draw->data(), of_draw->shape(0)};
  const Settings settings{cycles, leaves, min_leaf, seed, 0, threads, fitted_rows};
  Caller caller(std::move(progress));
  Report report;
  std::vector<Trace> trace;
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    const Progress progress = [&](double share) { return caller(share); };
    finished = filled(columns, asked, places, draws, marks, settings, progress, report, trace);
  }
  if (!finished) throw nb::python_error();
  nb::list fitted;
  for (const Fitted& target : report.targets)
    fitted.append(nb::make_tuple(static_cast<int>(target.kind), target.error, target.predictors));
  nb::list moments;
  for (const Trace& draw : trace) moments.append(nb::cast(draw.moments));
  return nb::make_tuple(report.cycles, fitted, trace.empty() ? std::vector<int>{} : trace[0].watched, moments);
}

// Codes of one column, for tests.
nb::tuple bin(AnyArray values, std::optional<Flags> missing, bool nominal, int bins) {
  const Column column{values.data(), missing ? missing->data() : nullptr, values.shape(0), type_of(values), nominal};
  const Binned out = binned(column, bins, column.rows);
  nb::list codes;
  for (const std::uint8_t code : out.codes) codes.append(static_cast<int>(code));
  return nb::make_tuple(codes, out.upper, out.levels);
}

// One regression tree (classes = 0) or classification tree on given codes, for tests.
nb::list grow(const std::vector<std::vector<std::uint8_t>>& codes, const std::vector<float>& y, int classes, int leaves,
              int min_leaf, double min_gain) {
  Sample sample;
  for (const auto& column : codes) sample.bins.push_back(*std::max_element(column.begin(), column.end()) + 1);
  for (std::size_t i = 0; i < y.size(); ++i)
    for (const auto& column : codes) sample.codes.push_back(column[i]);
  sample.classes = classes;
  if (classes > 0)
    for (const float value : y) sample.k.push_back(static_cast<std::uint8_t>(value));
  else
    sample.y = y;
  std::vector<std::uint32_t> rows(y.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  const Tree tree = grown(sample, rows, {leaves, min_leaf, min_gain});
  nb::list nodes;
  for (const Node& node : tree.nodes)
    nodes.append(nb::make_tuple(node.feature, static_cast<int>(node.threshold), node.missing_left, node.left,
                                node.right, static_cast<double>(node.value), node.gain, node.rows));
  return nodes;
}

}  // namespace

NB_MODULE(_kernel, m) {
  nb::class_<Ranks>(m, "Ranks")
      .def(
          "__init__",
          [](Ranks* self, AnyArray values, std::optional<Flags> missing, int categories) {
            new (self) Ranks(Column{values.data(), missing ? missing->data() : nullptr, values.shape(0),
                                    type_of(values), categories != 0, categories == 2});
          },
          "values"_a, "missing"_a.none(), "categories"_a);
  m.def("fill", &fill, "values"_a, "missing"_a, "categories"_a, "targets"_a, "outputs"_a, "keys"_a.none(),
        "of_draw"_a.none(), "cycles"_a, "leaves"_a, "min_leaf"_a, "seed"_a, "draws"_a, "fitted_rows"_a, "threads"_a,
        "progress"_a.none());
  m.def("bin", &bin, "values"_a, "missing"_a.none(), "nominal"_a, "bins"_a);
  m.def("grow", &grow, "codes"_a, "y"_a, "classes"_a, "leaves"_a, "min_leaf"_a, "min_gain"_a);
  bind_neighbours(m);
  bind_equations(m);
  bind_boosting(m);
}

}  // namespace imputedb
