// A column of the caller's, read in place in its own type; or some rows of a column with known ranks.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace imputedb {

struct Ranks;

enum class Type : std::uint8_t { f64, f32, i64, i32, i16, i8, u64, u32, u16, u8 };

struct Column {
  const void* values = nullptr;
  const std::uint8_t* missing = nullptr;  // null if only NaN is missing
  std::size_t rows = 0;
  Type type = Type::f64;
  bool nominal = false;  // codes of categories
  bool graded = false;   // categories that are ordered by their codes
  const Ranks* ranks = nullptr;  // instead of values
  const std::int64_t* places = nullptr;

  template <class F>
  auto visit(F&& f) const {
    switch (type) {
      case Type::f64: return f(static_cast<const double*>(values));
      case Type::f32: return f(static_cast<const float*>(values));
      case Type::i64: return f(static_cast<const std::int64_t*>(values));
      case Type::i32: return f(static_cast<const std::int32_t*>(values));
      case Type::i16: return f(static_cast<const std::int16_t*>(values));
      case Type::i8: return f(static_cast<const std::int8_t*>(values));
      case Type::u64: return f(static_cast<const std::uint64_t*>(values));
      case Type::u32: return f(static_cast<const std::uint32_t*>(values));
      case Type::u16: return f(static_cast<const std::uint16_t*>(values));
      default: return f(static_cast<const std::uint8_t*>(values));
    }
  }

  bool integral() const { return type != Type::f64 && type != Type::f32; }

  double at(std::size_t row) const {
    return visit([row](const auto* v) { return static_cast<double>(v[row]); });
  }

  // The code of a category, exact even where a double would not be.
  std::int64_t category(std::size_t row) const {
    return visit([row](const auto* v) { return static_cast<std::int64_t>(v[row]); });
  }

  bool is_missing(std::size_t row) const {
    if (missing != nullptr && missing[row] != 0) return true;
    return !integral() && std::isnan(at(row));
  }
};

}  // namespace imputedb
