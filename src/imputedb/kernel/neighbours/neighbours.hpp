// Nearest rows, by a distance that is averaged over the coordinates present in both rows.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace imputedb {

// The contribution of one coordinate to a distance. `asymmetric` coordinates do not count where both are zero (Gower
// 1971, section 2). `product` and `matched` (categories as indicator vectors) belong to the cosine distance: either all
// coordinates of a search are of these two, or none is.
enum class Part : int { absolute, clipped, squared, nominal, asymmetric, product, matched };

// One search: for each query the ranges of donors to consider, in ascending order, and the cells to find donors for.
// A donor counts `copies[target][place]` times, 0 where it has no value of that target.
struct Search {
  std::span<const double> queries;  // (m, width), NaN where a coordinate is missing
  std::span<const int> parts;       // (width)
  std::span<const double> weights;  // (width), positive
  // (width) the difference to assume at a coordinate that the donor lacks; if empty, such coordinates do not count.
  std::span<const double> expected;
  std::span<const std::int64_t> range_offsets, begins, ends;
  std::span<const std::int64_t> cell_offsets;
  std::span<const std::int32_t> targets;
  std::span<const std::uint8_t* const> copies;
  int k;
  int threads;
};

constexpr std::size_t kTile = 256;

// Rows in tiles, stored by column, so that a tile fits into a core's cache.
struct Tiles {
  std::size_t width;
  std::vector<std::int32_t> ids;
  std::vector<double> values;          // [tile][column][kTile]
  std::vector<std::uint8_t> complete;  // by column, whether no row lacks it
};

// Rows that queries are compared to.
class Donors {
 public:
  // Rows without values yet, with the number of each.
  Donors(std::size_t width, std::span<const std::int32_t> ids);

  // Sets the values of a column, NaN where missing. Columns come one at a time, so that no second copy of all is held.
  void put(std::size_t column, std::span<const double> values);

  std::size_t rows() const { return tiles_.ids.size(); }
  std::size_t width() const { return tiles_.width; }

  // The k nearest donors of each cell, nearest first and ties by number: their numbers, -1 where there are no more, and
  // their distances per unit of weight. False if `progress`, called with the share that is done, asked to stop.
  bool nearest(const Search& search, std::span<std::int32_t> ids, std::span<double> distances,
               const std::function<bool(double)>& progress) const;

 private:
  Tiles tiles_;
};

}  // namespace imputedb
