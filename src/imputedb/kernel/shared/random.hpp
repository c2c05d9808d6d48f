// Counter-based random numbers: a hash of their purpose, without a state that advances.
#pragma once

#include <cstdint>

namespace imputedb {

// SplitMix64's finalizer (Steele, Lea & Flood 2014).
inline std::uint64_t mixed(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// The key of the random numbers for one purpose, except for the row.
struct Stream {
  std::uint64_t key;

  Stream(std::uint64_t seed, std::uint64_t draw, std::uint64_t cycle, std::uint64_t column, std::uint64_t use)
      : key(mixed(seed ^ mixed(draw ^ mixed(cycle ^ mixed(column ^ mixed(use)))))) {}

  std::uint64_t bits(std::uint64_t row) const { return mixed(key ^ mixed(row)); }
  double uniform(std::uint64_t row) const { return uniform_of(mixed(row)); }
  double uniform_of(std::uint64_t mixed_row) const {
    return static_cast<double>(mixed(key ^ mixed_row) >> 11) * 0x1.0p-53;
  }
  // A number in [0, n), n < 2^32, by multiplication (Lemire 2019); another one for each turn.
  std::uint32_t below(std::uint64_t row, std::uint32_t n) const { return below_of(bits(row), n); }
  std::uint32_t below(std::uint64_t row, std::uint32_t n, std::uint32_t turn) const {
    return turn == 0 ? below(row, n) : below_of(mixed(bits(row) + turn), n);
  }
  static std::uint32_t below_of(std::uint64_t bits, std::uint32_t n) {
    return static_cast<std::uint32_t>(((bits >> 32) * n) >> 32);
  }
};

// Poisson(1) from a uniform number: how often a row is in a bootstrap. Four comparisons suffice for 98 % of the rows.
inline std::uint8_t poisson_one(double u) {
  constexpr double kTerm = 0.36787944117144233;
  constexpr double kFirst = kTerm, kSecond = kFirst + kTerm, kThird = kSecond + kTerm / 2, kFourth = kThird + kTerm / 6;
  int k = (u > kFirst) + (u > kSecond) + (u > kThird) + (u > kFourth);
  if (k < 4) [[likely]]
    return static_cast<std::uint8_t>(k);
  double term = kTerm / 24, sum = kFourth + term;
  while (u > sum && k < 12) {
    ++k;
    term /= k;
    sum += term;
  }
  return static_cast<std::uint8_t>(k);
}

}  // namespace imputedb
