#include "linear/pattern_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "shared/random.hpp"

namespace imputedb {
namespace {

enum Use : std::uint64_t { kRadius = 21, kAngle = 22 };

// Two standard normal numbers for each row (Box & Muller 1958).
struct Noise {
  Stream radius, angle;

  void operator()(std::uint64_t row, double& first, double& second) const {
    const double r = std::sqrt(-2 * std::log(1 - radius.uniform(row)));
    const double a = 2 * std::numbers::pi * angle.uniform(row);
    first = r * std::cos(a);
    second = r * std::sin(a);
  }
};

}  // namespace

void fill(const PatternMatrix& pattern_matrix, std::size_t pattern, std::span<const RegressionSequence> sequences,
          const OutputColumns& wanted, const std::uint64_t* key, double* out) {
  const std::size_t q = pattern_matrix.q;
  const Effect found = effect(sequences, pattern_matrix.missing.subspan(pattern * q, q), wanted.columns);
  const std::size_t r = found.columns.size();
  std::vector<std::size_t> places;
  std::vector<Noise> noise;
  for (std::size_t column : found.columns) {
    const auto at = std::find(wanted.columns.begin(), wanted.columns.end(), column) - wanted.columns.begin();
    places.push_back(wanted.places[static_cast<std::size_t>(at)]);
    const std::uint64_t draw = key ? *key : 0;
    if (noise.size() * 2 < places.size())
      noise.push_back({Stream(draw, 0, 0, column, kRadius), Stream(draw, 0, 0, column, kAngle)});
  }
  std::vector<double> z(r + 1);
  const auto begin = static_cast<std::size_t>(pattern_matrix.starts[pattern]);
  const auto end = static_cast<std::size_t>(pattern_matrix.starts[pattern + 1]);
  for (std::size_t row = begin; r > 0 && row < end; ++row) {
    for (std::size_t t = 0; key && t < r; t += 2) noise[t / 2](pattern_matrix.keys[row], z[t], z[t + 1]);
    for (std::size_t t = 0; t < r; ++t) {
      double value = dot(found.weights.data() + t * q, pattern_matrix.x.data() + row * q, q);
      for (std::size_t u = 0; key && u <= t; ++u) value += found.root[u * r + t] * z[u];
      out[row * wanted.width + places[t]] = value;
    }
  }
}

}  // namespace imputedb
