// Python bindings of chained linear regressions. Buffers are filled in place, without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>

#include "shared/arrays.hpp"
#include "shared/caller.hpp"
#include "linear/imputation.hpp"
#include "linear/logits.hpp"
#include "shared/pool.hpp"
#include "linear/pattern_matrix.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace imputedb {
namespace {

void check(bool fits) {
  if (!fits) throw nb::value_error("arrays of lengths that do not fit each other");
}

void construct(Equations* self, std::size_t q, const std::vector<int>& steps, std::size_t leading,
               const std::vector<double>& scale, const std::vector<double>& shift) {
  check(scale.size() == steps.size() && shift.size() == steps.size() * q && leading <= steps.size());
  new (self) Equations(q, steps, leading, scale, shift);
}

void add_pattern(Equations& self, double rows, const Array<std::uint8_t>& missing, const Array<double>& gram) {
  check(missing.shape(0) == self.width() && gram.shape(0) == self.width() * self.width());
  self.add(rows, read(missing), read(gram));
}

void keep(Equations& self, const Array<double>& rows, const Array<std::uint8_t>& missing) {
  check(missing.shape(0) == self.width() && rows.shape(0) % self.width() == 0);
  self.keep(read(rows), read(missing));
}

nb::tuple expect(Equations& self, std::size_t cycles, double still, std::size_t many, const Place<double>& b,
                 const Place<double>& sigma) {
  check(sigma.shape(0) == cycles * self.steps().size() && b.shape(0) == sigma.shape(0) * self.width());
  Expected found;
  {
    const nb::gil_scoped_release unlocked;
    found = self.expect(cycles, still, many, {b.data(), b.shape(0)}, {sigma.data(), sigma.shape(0)});
  }
  return nb::make_tuple(found.changes, found.left_out);
}

// Runs tasks on threads; false if it was stopped.
bool shared_out(std::size_t tasks, int threads, Caller& caller, const std::function<void(std::size_t)>& task) {
  std::atomic<std::size_t> done{0};
  std::atomic<bool> stop{false};
  Pool pool(static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(threads), tasks)));
  pool.run(
      tasks,
      [&](std::size_t i) {
        if (!stop) task(i);
        ++done;
      },
      [&] {
        if (!stop && caller(static_cast<double>(done) / static_cast<double>(tasks))) stop = true;
      });
  return !stop;
}

void draw(const Equations& self, const Array<std::uint64_t>& keys, std::size_t cycles,
          const std::vector<std::size_t>& watched, const Place<double>& b, const Place<double>& sigma,
          const Place<double>& traced, const Place<double>& moments, int threads, nb::object progress) {
  const std::size_t q = self.width(), count = cycles * self.steps().size(), m = keys.shape(0);
  const std::size_t size = cycles * watched.size() * watched.size();
  check(sigma.shape(0) == m * count && b.shape(0) == m * count * q && traced.shape(0) == m * count * 3 &&
        moments.shape(0) == m * size &&
        std::all_of(watched.begin(), watched.end(), [q](std::size_t column) { return column < q; }));
  Caller caller(std::move(progress));
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = shared_out(m, threads, caller, [&](std::size_t i) {
      std::vector<RegressionTrace> traces(count);
      self.draw(keys.data()[i], cycles, watched, {b.data() + i * count * q, count * q},
                {sigma.data() + i * count, count}, traces, {moments.data() + i * size, size});
      for (std::size_t t = 0; t < count; ++t) {
        double* at = traced.data() + (i * count + t) * 3;
        at[0] = traces[t].count, at[1] = traces[t].sum, at[2] = traces[t].square;
      }
    });
  }
  if (!finished) throw nb::python_error();
}

// Fills missing values by a sequence of regressions that all draws share, then one for each draw; without keys, by
// expected values.
void filled(const Array<double>& x, const Array<std::int64_t>& starts, const Array<std::uint8_t>& missing,
            const Array<std::uint64_t>& keys, const std::vector<int>& steps, const Array<double>& start_b,
            const Array<double>& start_sigma, const Array<double>& b, const Array<double>& sigma,
            const Array<std::uint64_t>& draws, const std::vector<std::size_t>& wanted,
            const std::vector<std::size_t>& places, const Place<double>& out, int threads) {
  const std::size_t patterns = starts.shape(0) - 1, n = keys.shape(0), q = n ? x.shape(0) / n : 0;
  const bool drawn = draws.shape(0) > 0;
  const std::size_t m = drawn ? draws.shape(0) : 1, count = sigma.shape(0) / m;
  check(x.shape(0) == n * q && missing.shape(0) == patterns * q && b.shape(0) == m * count * q &&
        start_b.shape(0) == start_sigma.shape(0) * q && wanted.size() == places.size() &&
        (n == 0 || out.shape(0) % (m * n) == 0));
  if (n == 0) return;
  const std::size_t width = out.shape(0) / (m * n);
  const PatternMatrix pattern_matrix{q, read(x), read(starts), read(missing), read(keys)};
  Caller caller{nb::none()};
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = shared_out(m * patterns, threads, caller, [&](std::size_t i) {
      const std::size_t d = i / patterns;
      const RegressionSequence sequences[] = {
          {steps, read(start_b), read(start_sigma)},
          {steps, read(b).subspan(d * count * q, count * q), read(sigma).subspan(d * count, count)}};
      fill(pattern_matrix, i % patterns, sequences, {wanted, places, width}, drawn ? draws.data() + d : nullptr,
           out.data() + d * n * width);
    });
  }
  if (!finished) throw nb::python_error();
}

// An imputation with the buffers that it reads and changes.
struct BoundImputation {
  Array<double> x;
  Array<std::int64_t> starts, fitted_rows;
  Array<std::uint8_t> missing;
  Array<std::uint64_t> keys;
  Place<double> now;
  std::size_t q;
  std::vector<std::size_t> columns;
  Imputation one;

  bool fills(std::size_t column) const { return std::find(columns.begin(), columns.end(), column) != columns.end(); }
};

bool learnable(const PatternMatrix& pattern_matrix, const Array<std::int64_t>& fitted_rows) {
  bool fits = fitted_rows.shape(0) == pattern_matrix.patterns();
  for (std::size_t p = 0; fits && p < pattern_matrix.patterns(); ++p)
    fits =
        fitted_rows.data()[p] >= 0 && fitted_rows.data()[p] <= pattern_matrix.starts[p + 1] - pattern_matrix.starts[p];
  return fits;
}

void construct_imputation(BoundImputation* self, const Array<double>& x, const Array<std::int64_t>& starts,
                          const Array<std::uint8_t>& missing, const Array<std::int64_t>& fitted_rows,
                          const Array<std::uint64_t>& keys, const std::vector<std::size_t>& columns,
                          const Place<double>& now) {
  check(starts.shape(0) > 0 && keys.shape(0) > 0);
  const std::size_t patterns = starts.shape(0) - 1, n = keys.shape(0), q = x.shape(0) / n;
  check(x.shape(0) == n * q && missing.shape(0) == patterns * q && now.shape(0) == n * q &&
        std::all_of(columns.begin(), columns.end(), [&](std::size_t column) { return column < q; }));
  const PatternMatrix pattern_matrix{q, read(x), read(starts), read(missing), read(keys)};
  check(learnable(pattern_matrix, fitted_rows));
  const nb::gil_scoped_release unlocked;
  new (self)
      BoundImputation{x,       starts,  fitted_rows,
                      missing, keys,    now,
                      q,       columns, Imputation(pattern_matrix, read(fitted_rows), columns, {now.data(), n * q})};
}

void match(BoundImputation& self, std::size_t column, std::uint64_t key, std::size_t donors, bool bootstrap,
           const Array<std::uint8_t>& barred, const Place<std::int64_t>& out) {
  check(self.fills(column) && barred.shape(0) == self.q && donors > 0 && out.shape(0) == self.one.missing(column));
  const nb::gil_scoped_release unlocked;
  if (!self.one.match(column, key, donors, bootstrap, read(barred), {out.data(), out.shape(0)})) check(false);
}

void regress(BoundImputation& self, std::size_t column, std::uint64_t key, const Array<std::uint8_t>& barred) {
  check(self.fills(column) && barred.shape(0) == self.q);
  const nb::gil_scoped_release unlocked;
  self.one.regress(column, key, read(barred));
}

void put(BoundImputation& self, std::size_t column, const Array<double>& values) {
  check(self.fills(column) && values.shape(0) == self.one.missing(column));
  const nb::gil_scoped_release unlocked;
  self.one.put(column, read(values));
}

void gram(const BoundImputation& self, const Place<double>& out) {
  const std::span<const double> found = self.one.gram();
  check(out.shape(0) == found.size());
  std::copy(found.begin(), found.end(), out.data());
}

// Replaces starting values by coefficients of a multinomial regression, and gives a root of their covariance; false if
// there is none.
bool fit_logits(const Array<double>& x, const Array<double>& codes, const Array<double>& weights, std::size_t classes,
                const Place<double>& beta, const Place<double>& root) {
  const std::size_t n = codes.shape(0);
  check(classes > 1 && n > 0 && weights.shape(0) == n && x.shape(0) % n == 0 && x.shape(0) > 0);
  const std::size_t p = x.shape(0) / n, q = (classes - 1) * p;
  check(beta.shape(0) == q && root.shape(0) == q * q);
  const double last = static_cast<double>(classes);
  check(std::all_of(codes.data(), codes.data() + n, [last](double code) { return code >= 0 && code < last; }));
  const nb::gil_scoped_release unlocked;
  Logits logits({x.data(), codes.data(), weights.data(), n, p, classes});
  return logits.fit(beta.data()) && logits.root(root.data());
}

}  // namespace

void bind_equations(nb::module_& m) {
  nb::class_<Equations>(m, "Equations")
      .def("__init__", &construct, "q"_a, "steps"_a, "leading"_a, "scale"_a, "shift"_a)
      .def("add", &add_pattern, "rows"_a, "missing"_a, "gram"_a)
      .def("keep", &keep, "rows"_a, "missing"_a)
      .def("expect", &expect, "cycles"_a, "still"_a, "many"_a, "b"_a, "sigma"_a)
      .def("draw", &draw, "keys"_a, "cycles"_a, "watched"_a, "b"_a, "sigma"_a, "traced"_a, "moments"_a,
           "threads"_a, "progress"_a.none());
  nb::class_<BoundImputation>(m, "Imputation")
      .def("__init__", &construct_imputation, "x"_a, "starts"_a, "missing"_a, "fitted_rows"_a, "keys"_a, "columns"_a,
           "now"_a)
      .def("match", &match, "column"_a, "key"_a, "donors"_a, "bootstrap"_a, "barred"_a, "out"_a)
      .def("regress", &regress, "column"_a, "key"_a, "barred"_a)
      .def("put", &put, "column"_a, "values"_a)
      .def("gram", &gram, "out"_a);
  m.def("fit_logits", &fit_logits, "x"_a, "codes"_a, "weights"_a, "classes"_a, "beta"_a, "root"_a);
  m.def("fill_pattern_matrix", &filled, "x"_a, "starts"_a, "missing"_a, "keys"_a, "steps"_a, "start_b"_a,
        "start_sigma"_a, "b"_a, "sigma"_a, "draws"_a, "wanted"_a, "places"_a, "out"_a, "threads"_a);
}

}  // namespace imputedb
