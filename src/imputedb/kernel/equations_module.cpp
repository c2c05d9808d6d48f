// Chained equations on cross-products as a Python class: buffers in, buffers filled, the interpreter's lock released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>

#include "arrays.hpp"
#include "caller.hpp"
#include "matching.hpp"
#include "pool.hpp"
#include "sheet.hpp"

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

// Tasks on threads; false when it was stopped.
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

void draw(const Equations& self, const Array<std::uint64_t>& keys, std::size_t cycles, const Place<double>& b,
          const Place<double>& sigma, const Place<double>& traced, const Place<double>& estimates, int threads,
          nb::object progress) {
  const std::size_t q = self.width(), count = cycles * self.steps().size(), m = keys.shape(0);
  const std::size_t last = self.steps().size() * q;
  check(sigma.shape(0) == m * count && b.shape(0) == m * count * q && traced.shape(0) == m * count * 3 &&
        estimates.shape(0) == m * last);
  Caller caller(std::move(progress));
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = shared_out(m, threads, caller, [&](std::size_t i) {
      std::vector<Traced> told(count);
      self.draw(keys.data()[i], cycles, {b.data() + i * count * q, count * q}, {sigma.data() + i * count, count}, told,
                {estimates.data() + i * last, last});
      for (std::size_t t = 0; t < count; ++t) {
        double* at = traced.data() + (i * count + t) * 3;
        at[0] = told[t].count, at[1] = told[t].sum, at[2] = told[t].square;
      }
    });
  }
  if (!finished) throw nb::python_error();
}

// One path all share, then one a draw; no keys: expected values.
void filled(const Array<double>& x, const Array<std::int64_t>& starts, const Array<std::uint8_t>& gone,
            const Array<std::uint64_t>& keys, const std::vector<int>& steps, const Array<double>& start_b,
            const Array<double>& start_sigma, const Array<double>& b, const Array<double>& sigma,
            const Array<std::uint64_t>& draws, const std::vector<std::size_t>& wanted,
            const std::vector<std::size_t>& places, const Place<double>& out, int threads) {
  const std::size_t patterns = starts.shape(0) - 1, n = keys.shape(0), q = n ? x.shape(0) / n : 0;
  const bool drawn = draws.shape(0) > 0;
  const std::size_t m = drawn ? draws.shape(0) : 1, count = sigma.shape(0) / m;
  check(x.shape(0) == n * q && gone.shape(0) == patterns * q && b.shape(0) == m * count * q &&
        start_b.shape(0) == start_sigma.shape(0) * q && wanted.size() == places.size() &&
        (n == 0 || out.shape(0) % (m * n) == 0));
  if (n == 0) return;
  const std::size_t width = out.shape(0) / (m * n);
  const Sheet sheet{q, read(x), read(starts), read(gone), read(keys)};
  Caller caller{nb::none()};
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = shared_out(m * patterns, threads, caller, [&](std::size_t i) {
      const std::size_t d = i / patterns;
      const Path paths[] = {{steps, read(start_b), read(start_sigma)},
                            {steps, read(b).subspan(d * count * q, count * q), read(sigma).subspan(d * count, count)}};
      fill(sheet, i % patterns, paths, {wanted, places, width}, drawn ? draws.data() + d : nullptr,
           out.data() + d * n * width);
    });
  }
  if (!finished) throw nb::python_error();
}

bool matchable(const Sheet& sheet, const Array<std::int64_t>& taught, const std::vector<int>& steps,
               const std::vector<std::size_t>& targets) {
  bool fits = taught.shape(0) == sheet.patterns();
  for (std::size_t p = 0; fits && p < sheet.patterns(); ++p)
    fits = taught.data()[p] >= 0 && taught.data()[p] <= sheet.starts[p + 1] - sheet.starts[p];
  return fits && std::all_of(targets.begin(), targets.end(), [&](std::size_t target) {
    bool donors = false;
    for (std::size_t p = 0; p < sheet.patterns(); ++p) donors |= taught.data()[p] > 0 && !sheet.gone[p * sheet.q + target];
    return donors && std::find(steps.begin(), steps.end(), static_cast<int>(target)) != steps.end();
  });
}

// By draw, then by target, the rows whose values the missing ones take.
void matched(const Array<double>& x, const Array<std::int64_t>& starts, const Array<std::uint8_t>& gone,
             const Array<std::int64_t>& taught, const Array<std::uint64_t>& keys, const std::vector<int>& steps,
             const Array<double>& start_b, const Array<double>& start_sigma, const Array<double>& b,
             const Array<double>& sigma, const Array<double>& estimates, const Array<std::uint64_t>& draws,
             const std::vector<std::size_t>& targets, std::size_t donors, bool bootstrap, const Place<std::int64_t>& out,
             int threads) {
  const std::size_t patterns = starts.shape(0) - 1, n = keys.shape(0), m = draws.shape(0), last = steps.size();
  if (n == 0 || m == 0) return;
  const std::size_t q = x.shape(0) / n, count = sigma.shape(0) / m, size = out.shape(0) / m;
  const Sheet sheet{q, read(x), read(starts), read(gone), read(keys)};
  check(x.shape(0) == n * q && gone.shape(0) == patterns * q && matchable(sheet, taught, steps, targets) &&
        b.shape(0) == m * count * q && start_b.shape(0) == start_sigma.shape(0) * q &&
        estimates.shape(0) == m * last * q && count >= last && out.shape(0) == m * size &&
        size == matches(sheet, targets));
  Caller caller{nb::none()};
  bool finished = false;
  {
    const nb::gil_scoped_release unlocked;
    finished = shared_out(m, threads, caller, [&](std::size_t d) {
      const Path paths[] = {{steps, read(start_b), read(start_sigma)},
                            {steps, read(b).subspan(d * count * q, count * q), read(sigma).subspan(d * count, count)}};
      const Fits fits{steps, read(b).subspan((d * count + count - last) * q, last * q),
                      read(estimates).subspan(d * last * q, last * q)};
      match(sheet, read(taught), paths, fits, {targets, donors, bootstrap, draws.data()[d]}, {out.data() + d * size, size});
    });
  }
  if (!finished) throw nb::python_error();
}

}  // namespace

void bind_equations(nb::module_& m) {
  nb::class_<Equations>(m, "Equations")
      .def("__init__", &construct, "q"_a, "steps"_a, "leading"_a, "scale"_a, "shift"_a)
      .def("add", &add_pattern, "rows"_a, "missing"_a, "gram"_a)
      .def("keep", &keep, "rows"_a, "missing"_a)
      .def("expect", &expect, "cycles"_a, "still"_a, "many"_a, "b"_a, "sigma"_a)
      .def("draw", &draw, "keys"_a, "cycles"_a, "b"_a, "sigma"_a, "traced"_a, "estimates"_a, "threads"_a,
           "progress"_a.none());
  m.def("match_sheet", &matched, "x"_a, "starts"_a, "gone"_a, "taught"_a, "keys"_a, "steps"_a, "start_b"_a,
        "start_sigma"_a, "b"_a, "sigma"_a, "estimates"_a, "draws"_a, "targets"_a, "donors"_a, "bootstrap"_a, "out"_a,
        "threads"_a);
  m.def("fill_sheet", &filled, "x"_a, "starts"_a, "gone"_a, "keys"_a, "steps"_a, "start_b"_a, "start_sigma"_a, "b"_a,
        "sigma"_a, "draws"_a, "wanted"_a, "places"_a, "out"_a, "threads"_a);
}

}  // namespace imputedb
