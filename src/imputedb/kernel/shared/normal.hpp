// Standard normal numbers from random bits by the ziggurat (Marsaglia & Tsang 2000; Doornik 2005).
#pragma once

#include <array>
#include <cmath>

#include "shared/random.hpp"

namespace imputedb {

// A uniform number inside (0, 1).
inline double inside(std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53; }

// Layers of equal area under exp(-x^2 / 2), the lowest with the tail: the end of each, and the share of it that lies
// under the next one.
struct Ziggurat {
  static constexpr std::size_t kLayers = 256;
  static constexpr double kTail = 3.6541528853610088, kArea = 0.00492867323399;

  std::array<double, kLayers + 1> ends;
  std::array<double, kLayers> shares;

  Ziggurat() {
    const auto height = [](double x) { return std::exp(-0.5 * x * x); };
    ends[0] = kArea / height(kTail), ends[1] = kTail, ends[kLayers] = 0;
    for (std::size_t i = 2; i < kLayers; ++i)
      ends[i] = std::sqrt(-2 * std::log(kArea / ends[i - 1] + height(ends[i - 1])));
    for (std::size_t i = 0; i < kLayers; ++i) shares[i] = ends[i + 1] / ends[i];
  }
};

inline const Ziggurat kZiggurat;

// One number; bits() gives 64 random bits, and is mostly called once.
template <class Bits>
double normal(Bits bits) {
  while (true) {
    const std::uint64_t word = bits();
    const std::size_t i = word % Ziggurat::kLayers;
    const double u = 2 * inside(word) - 1, x = u * kZiggurat.ends[i];
    if (std::abs(u) < kZiggurat.shares[i]) return x;
    if (i == 0) {
      double beyond = 0, twice = 0;
      do {
        beyond = -std::log(inside(bits())) / Ziggurat::kTail;
        twice = -2 * std::log(inside(bits()));
      } while (twice < beyond * beyond);
      return std::copysign(Ziggurat::kTail + beyond, u);
    }
    const auto rise = [&](double end) { return std::exp(-0.5 * (end * end - x * x)); };
    const double low = rise(kZiggurat.ends[i]), high = rise(kZiggurat.ends[i + 1]);
    if (high + inside(bits()) * (low - high) < 1) return x;
  }
}

}  // namespace imputedb
