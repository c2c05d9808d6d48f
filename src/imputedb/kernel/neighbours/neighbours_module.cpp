// Python bindings of the search for neighbours. Buffers are filled in place, without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include "shared/arrays.hpp"
#include "shared/caller.hpp"
#include "neighbours/neighbours.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace imputedb {
namespace {

void construct(Donors* self, std::size_t width, const Array<std::int32_t>& ids) { new (self) Donors(width, read(ids)); }

void put(Donors& self, std::size_t column, const Array<double>& values) {
  if (column >= self.width() || values.shape(0) != self.rows()) throw nb::value_error("no such column, or not as long");
  self.put(column, read(values));
}

void nearest(const Donors& self, const Array<double>& queries, const Array<int>& parts, const Array<double>& weights,
             const Array<double>& expected, const Array<std::int64_t>& range_offsets,
             const Array<std::int64_t>& begins, const Array<std::int64_t>& ends,
             const Array<std::int64_t>& cell_offsets, const Array<std::int32_t>& targets,
             const std::vector<Array<std::uint8_t>>& copies, int k, int threads, const Place<std::int32_t>& ids,
             const Place<double>& distances, nb::object progress) {
  const std::size_t width = self.width(), count = range_offsets.shape(0) - 1;
  if (queries.shape(0) != count * width || parts.shape(0) != width || weights.shape(0) != width ||
      (expected.shape(0) != width && expected.shape(0) != 0) ||
      cell_offsets.shape(0) != count + 1 || ids.shape(0) != targets.shape(0) * static_cast<std::size_t>(k) ||
      distances.shape(0) != ids.shape(0))
    throw nb::value_error("arrays of lengths that do not fit each other");
  std::vector<const std::uint8_t*> counts;
  for (const auto& one : copies) {
    if (one.shape(0) != self.rows()) throw nb::value_error("arrays of lengths that do not fit each other");
    counts.push_back(one.data());
  }
  const Search search{read(queries),       read(parts),   read(weights), read(expected),
                      read(range_offsets), read(begins),  read(ends),    read(cell_offsets),
                      read(targets),       counts,        k,             threads};
  Caller caller(std::move(progress));
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = self.nearest(search, {ids.data(), ids.shape(0)}, {distances.data(), distances.shape(0)},
                            [&](double share) { return caller(share); });
  }
  if (!finished) throw nb::python_error();
}

}  // namespace

void bind_neighbours(nb::module_& m) {
  nb::class_<Donors>(m, "Donors")
      .def("__init__", &construct, "width"_a, "ids"_a)
      .def("put", &put, "column"_a, "values"_a)
      .def_prop_ro("rows", &Donors::rows)
      .def("nearest", &nearest, "queries"_a, "parts"_a, "weights"_a, "expected"_a, "range_offsets"_a, "begins"_a,
           "ends"_a, "cell_offsets"_a, "targets"_a, "copies"_a, "k"_a, "threads"_a, "ids"_a, "distances"_a,
           "progress"_a.none());
}

}  // namespace imputedb
