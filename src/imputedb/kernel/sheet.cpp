#include "sheet.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "random.hpp"

namespace imputedb {
namespace {

enum Use : std::uint64_t { kRadius = 21, kAngle = 22 };

// A standard normal number by row (Box & Muller 1958).
double normal(const Stream& radius, const Stream& angle, std::uint64_t row) {
  const double u = 1 - radius.uniform(row);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * angle.uniform(row));
}

}  // namespace

void fill(const Sheet& sheet, std::size_t pattern, std::span<const Path> paths, const Wanted& wanted,
          const std::uint64_t* key, double* out) {
  const std::size_t q = sheet.q;
  const Effect found = effect(paths, sheet.gone.subspan(pattern * q, q), wanted.columns);
  const std::size_t r = found.columns.size();
  std::vector<std::size_t> places;
  std::vector<Stream> radius, angle;
  for (std::size_t column : found.columns) {
    const auto at = std::find(wanted.columns.begin(), wanted.columns.end(), column) - wanted.columns.begin();
    places.push_back(wanted.places[static_cast<std::size_t>(at)]);
    radius.emplace_back(key ? *key : 0, 0, 0, column, kRadius);
    angle.emplace_back(key ? *key : 0, 0, 0, column, kAngle);
  }
  std::vector<double> z(r);
  const auto begin = static_cast<std::size_t>(sheet.starts[pattern]);
  const auto end = static_cast<std::size_t>(sheet.starts[pattern + 1]);
  for (std::size_t row = begin; r > 0 && row < end; ++row) {
    for (std::size_t t = 0; key && t < r; ++t) z[t] = normal(radius[t], angle[t], sheet.keys[row]);
    for (std::size_t t = 0; t < r; ++t) {
      double value = dot(found.weights.data() + t * q, sheet.x.data() + row * q, q);
      for (std::size_t u = 0; key && u <= t; ++u) value += found.root[u * r + t] * z[u];
      out[row * wanted.width + places[t]] = value;
    }
  }
}

}  // namespace imputedb
