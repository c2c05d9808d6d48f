#include "neighbours/neighbours.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>

#include "shared/pool.hpp"

// Compiles one version for each generation of vector units, chosen at load time; sanitizers do not support this.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define IMPUTEDB_VECTORS __attribute__((target_clones("avx512f", "avx2,fma", "default")))
#endif
#endif
#ifndef IMPUTEDB_VECTORS
#define IMPUTEDB_VECTORS
#endif
#define IMPUTEDB_INLINE [[gnu::always_inline]] inline  // so that a loop is compiled for its caller's generation

namespace imputedb {
namespace {

constexpr std::size_t kBlock = 64;  // queries that share a tile while it is in the cache
constexpr std::size_t kGroup = 32;  // rows whose distances are compared together
constexpr double kFar = std::numeric_limits<double>::infinity();

struct Coordinate {
  std::size_t column;
  Part part;
  bool complete;
  double value, weight, expected;
  bool assumed;  // whether `expected` counts where the donor lacks the coordinate
};

// Sums over coordinates: weighted differences, and weights of shared coordinates. The cosine distance needs a third.
struct Sums {
  alignas(64) double num[kTile], den[kTile], own[kTile];
};

// How the coordinates of a kind treat a donor that lacks them. `add` adds `kCount` of them in one pass over the sums.
enum class DonorGap { never, ignored, assumed };

template <std::size_t kCount, DonorGap kDonorGap, class F>
IMPUTEDB_INLINE void add(const Coordinate* c, const double* tile, std::size_t from, std::size_t to, Sums& sums,
                         F&& difference) {
  const double* __restrict x[kCount];
  double q[kCount], w[kCount], e[kCount];
  for (std::size_t i = 0; i < kCount; ++i) x[i] = tile + c[i].column * kTile, q[i] = c[i].value, w[i] = c[i].weight;
  for (std::size_t i = 0; i < kCount; ++i) e[i] = c[i].weight * c[i].expected;
  double* __restrict num = sums.num;
  double* __restrict den = sums.den;
#pragma GCC ivdep
  for (std::size_t j = from; j < to; ++j) {
    double n = num[j], d = den[j];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kCount; ++i) {
      const double v = x[i][j];
      if constexpr (kDonorGap == DonorGap::never) {
        n += w[i] * difference(q[i], v);
      } else if constexpr (kDonorGap == DonorGap::assumed) {
        n += v == v ? w[i] * difference(q[i], v) : e[i];
      } else {
        const bool both = v == v;
        n += both ? w[i] * difference(q[i], v) : 0.0;
        d += both ? w[i] : 0.0;
      }
    }
    num[j] = n;
    if constexpr (kDonorGap == DonorGap::ignored) den[j] = d;
  }
}

template <std::size_t kCount, DonorGap kDonorGap>
IMPUTEDB_INLINE void add_part(const Coordinate* c, const double* tile, std::size_t from, std::size_t to, Sums& sums) {
  switch (c->part) {
    case Part::absolute:
      return add<kCount, kDonorGap>(c, tile, from, to, sums, [](double q, double v) { return std::fabs(q - v); });
    case Part::clipped:
      return add<kCount, kDonorGap>(c, tile, from, to, sums, [](double q, double v) {
        const double d = std::fabs(q - v);
        return d < 1.0 ? d : 1.0;
      });
    case Part::squared:
      return add<kCount, kDonorGap>(c, tile, from, to, sums, [](double q, double v) { return (q - v) * (q - v); });
    default:
      return add<kCount, kDonorGap>(c, tile, from, to, sums, [](double q, double v) { return q == v ? 0.0 : 1.0; });
  }
}

template <std::size_t kCount>
IMPUTEDB_INLINE void add_counted(const Coordinate* c, const double* tile, std::size_t from, std::size_t to,
                                 Sums& sums) {
  if (c->complete) return add_part<kCount, DonorGap::never>(c, tile, from, to, sums);
  if (c->assumed) return add_part<kCount, DonorGap::assumed>(c, tile, from, to, sums);
  return add_part<kCount, DonorGap::ignored>(c, tile, from, to, sums);
}

IMPUTEDB_INLINE void add_asymmetric(const Coordinate& c, const double* __restrict x, std::size_t from, std::size_t to,
                                    Sums& sums) {
  for (std::size_t j = from; j < to; ++j) {
    const bool counts = x[j] == x[j] && (c.value != 0.0 || x[j] != 0.0);
    sums.num[j] += counts && x[j] != c.value ? c.weight : 0.0;
    sums.den[j] += counts ? c.weight : 0.0;
  }
}

IMPUTEDB_INLINE void add_product(const Coordinate& c, const double* __restrict x, std::size_t from, std::size_t to,
                                 Sums& sums) {
  const bool matched = c.part == Part::matched;
  const double q = c.value, w = c.weight;
  for (std::size_t j = from; j < to; ++j) {
    const bool both = x[j] == x[j];
    const double product = matched ? (x[j] == q ? w : 0.0) : w * q * x[j];
    sums.num[j] += both ? product : 0.0;
    sums.den[j] += both ? (matched ? w : w * x[j] * x[j]) : 0.0;
    sums.own[j] += both ? (matched ? w : w * q * q) : 0.0;
  }
}

// Distances of one query to the rows from..to of a tile; infinite where no coordinate is shared. Where differences are
// assumed, that is so for a donor at exactly the assumed distance.
IMPUTEDB_VECTORS void measure(std::span<const Coordinate> query, const double* tile, std::size_t from, std::size_t to,
                              Sums& sums) {
  double base = 0, assumed = 0;
  const bool angle = !query.empty() && query[0].part >= Part::product;
  for (const Coordinate& c : query)
    if ((c.complete || c.assumed) && c.part < Part::asymmetric) base += c.weight;
  for (const Coordinate& c : query) assumed += c.assumed ? c.weight * c.expected : 0.0;
  bool shared = true;
  for (const Coordinate& c : query) shared = shared && (c.complete || c.assumed) && c.part < Part::asymmetric;
  const double strange = assumed > 0.0 ? assumed / base : -1.0;
  for (std::size_t j = from; j < to; ++j) sums.num[j] = 0;
  for (std::size_t j = from; j < to; ++j) sums.den[j] = base;
  if (angle)
    for (std::size_t j = from; j < to; ++j) sums.own[j] = 0;
  for (std::size_t i = 0; i < query.size();) {
    const Coordinate& c = query[i];
    const double* x = tile + c.column * kTile;
    const bool four = i + 3 < query.size() && query[i + 3].part == c.part && query[i + 3].complete == c.complete;
    if (c.part == Part::asymmetric)
      add_asymmetric(c, x, from, to, sums);
    else if (c.part >= Part::product)
      add_product(c, x, from, to, sums);
    else if (four)
      add_counted<4>(&c, tile, from, to, sums);
    else
      add_counted<1>(&c, tile, from, to, sums);
    i += four && c.part < Part::asymmetric ? 4 : 1;
  }
  if (angle)
    for (std::size_t j = from; j < to; ++j) {
      const double norms = sums.den[j] * sums.own[j];
      sums.num[j] = norms > 0.0 ? std::max(0.0, 1.0 - sums.num[j] / std::sqrt(norms)) : kFar;
    }
  else if (shared && base > 0.0)  // all donors have the same weight: one division for all
    for (std::size_t j = from; j < to; ++j) {
      const double mean = sums.num[j] * (1.0 / base);
      sums.num[j] = std::fabs(mean - strange) > 1e-12 * strange ? mean : kFar;
    }
  else
    for (std::size_t j = from; j < to; ++j) {
      const double mean = sums.den[j] > 0.0 ? sums.num[j] / sums.den[j] : kFar;
      sums.num[j] = std::fabs(mean - strange) > 1e-12 * strange ? mean : kFar;
    }
}

// Whether one of kGroup distances is within the limit.
IMPUTEDB_VECTORS bool any_within(const double* distances, double limit) {
  int found = 0;
  for (std::size_t j = 0; j < kGroup; ++j) found |= distances[j] <= limit ? 1 : 0;
  return found != 0;
}

// The nearest donors of one cell so far, nearest first.
class Nearest {
 public:
  Nearest(std::int32_t* ids, double* distances, int k) : ids_(ids), distances_(distances), k_(k) {}

  double limit() const { return count_ < k_ ? std::numeric_limits<double>::max() : distances_[k_ - 1]; }

  void take(double distance, std::int32_t id, int copies) {
    int place = count_;
    while (place > 0 && after(place - 1, distance, id)) --place;
    copies = std::min(copies, k_ - place);
    if (copies <= 0) return;
    count_ = std::min(k_, count_ + copies);
    for (int i = count_ - 1; i >= place + copies; --i) {
      ids_[i] = ids_[i - copies];
      distances_[i] = distances_[i - copies];
    }
    for (int i = place; i < place + copies; ++i) {
      ids_[i] = id;
      distances_[i] = distance;
    }
  }

 private:
  bool after(int i, double distance, std::int32_t id) const {
    return distances_[i] > distance || (distances_[i] == distance && ids_[i] > id);
  }

  std::int32_t* ids_;
  double* distances_;
  int k_, count_ = 0;
};

// The state of one query during a search.
struct QueryState {
  std::vector<Coordinate> coordinates;
  std::vector<Nearest> cells;
  std::span<const std::int32_t> targets;
  std::size_t range, last;
};

// One search: each task is a block of queries, and visits all tiles that one of them needs.
class TileScan {
 public:
  TileScan(const Tiles& donors, const Search& search, std::span<std::int32_t> ids, std::span<double> distances)
      : donors_(donors), search_(search), ids_(ids), distances_(distances) {
    std::fill(ids_.begin(), ids_.end(), -1);
    std::fill(distances_.begin(), distances_.end(), kFar);
  }

  bool run(const std::function<bool(double)>& progress) {
    const std::size_t blocks = (count() + kBlock - 1) / kBlock;
    Pool pool(std::min<int>(search_.threads, static_cast<int>(std::max<std::size_t>(blocks, 1))));
    pool.run(
        blocks,
        [this](std::size_t block) {
          if (!stop_) scan_block(block);
          ++done_;
        },
        [&] {
          if (!stop_ && progress(static_cast<double>(done_) / static_cast<double>(blocks))) stop_ = true;
        });
    return !stop_;
  }

 private:
  std::size_t count() const { return search_.cell_offsets.size() - 1; }

  void scan_block(std::size_t block) {
    Sums sums;
    std::fill(std::begin(sums.num), std::end(sums.num), kFar);
    std::vector<QueryState> queries;
    std::size_t first = donors_.ids.size(), last = 0;
    for (std::size_t q = block * kBlock; q < std::min(count(), (block + 1) * kBlock); ++q) {
      queries.push_back(query_state(q));
      for (std::size_t r = queries.back().range; r < queries.back().last; ++r) {
        first = std::min(first, static_cast<std::size_t>(search_.begins[r]));
        last = std::max(last, static_cast<std::size_t>(search_.ends[r]));
      }
    }
    for (std::size_t tile = first / kTile; tile * kTile < last && !stop_; ++tile)
      for (QueryState& query : queries) visit(query, tile, sums);
  }

  QueryState query_state(std::size_t q) {
    QueryState out;
    const bool assumed = !search_.expected.empty();
    for (std::size_t c = 0; c < donors_.width; ++c) {
      const double value = search_.queries[q * donors_.width + c];
      if (!std::isnan(value) && search_.weights[c] > 0.0)
        out.coordinates.push_back({c, static_cast<Part>(search_.parts[c]), donors_.complete[c] != 0, value,
                                   search_.weights[c], assumed ? search_.expected[c] : 0.0, assumed});
    }
    std::ranges::stable_sort(out.coordinates, {}, [](const Coordinate& c) { return std::pair(c.part, c.complete); });
    const auto first = static_cast<std::size_t>(search_.cell_offsets[q]);
    const auto end = static_cast<std::size_t>(search_.cell_offsets[q + 1]);
    const auto k = static_cast<std::size_t>(search_.k);
    for (std::size_t cell = first; cell < end; ++cell)
      out.cells.emplace_back(&ids_[cell * k], &distances_[cell * k], search_.k);
    out.targets = search_.targets.subspan(first, end - first);
    out.range = static_cast<std::size_t>(search_.range_offsets[q]);
    out.last = static_cast<std::size_t>(search_.range_offsets[q + 1]);
    return out;
  }

  // Searches the parts of a tile that the query's next ranges cover.
  void visit(QueryState& query, std::size_t tile, Sums& sums) const {
    const std::size_t begin = tile * kTile, end = begin + kTile;
    for (; query.range < query.last; ++query.range) {
      const auto low = static_cast<std::size_t>(search_.begins[query.range]);
      const auto high = static_cast<std::size_t>(search_.ends[query.range]);
      if (low >= end) return;
      compare(query, tile, std::max(low, begin) - begin, std::min(high, end) - begin, sums);
      if (high > end) return;
    }
  }

  void compare(QueryState& query, std::size_t tile, std::size_t from, std::size_t to, Sums& sums) const {
    const std::size_t low = from / 8 * 8, high = std::min(kTile, (to + kGroup - 1) / kGroup * kGroup);
    measure(query.coordinates, &donors_.values[tile * donors_.width * kTile], low, high, sums);
    for (std::size_t cell = 0; cell < query.cells.size(); ++cell) {
      const std::uint8_t* copies = search_.copies[static_cast<std::size_t>(query.targets[cell])];
      for (std::size_t group = from / kGroup * kGroup; group < to; group += kGroup)
        if (any_within(sums.num + group, query.cells[cell].limit()))
          take(query.cells[cell], tile * kTile, std::max(from, group), std::min(to, group + kGroup), sums, copies);
    }
  }

  void take(Nearest& cell, std::size_t base, std::size_t from, std::size_t to, const Sums& sums,
            const std::uint8_t* copies) const {
    for (std::size_t j = from; j < to; ++j)
      if (sums.num[j] <= cell.limit() && copies[base + j] > 0)
        cell.take(sums.num[j], donors_.ids[base + j], copies[base + j]);
  }

  const Tiles& donors_;
  const Search& search_;
  std::span<std::int32_t> ids_;
  std::span<double> distances_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> done_{0};
};

}  // namespace

Donors::Donors(std::size_t width, std::span<const std::int32_t> ids)
    : tiles_{width, {ids.begin(), ids.end()}, {}, std::vector<std::uint8_t>(width, 0)} {
  tiles_.values.assign((rows() + kTile - 1) / kTile * width * kTile, std::numeric_limits<double>::quiet_NaN());
}

void Donors::put(std::size_t column, std::span<const double> values) {
  bool complete = true;
  for (std::size_t row = 0; row < rows(); ++row) {
    tiles_.values[(row / kTile * tiles_.width + column) * kTile + row % kTile] = values[row];
    complete = complete && !std::isnan(values[row]);
  }
  tiles_.complete[column] = complete ? 1 : 0;
}

bool Donors::nearest(const Search& search, std::span<std::int32_t> ids, std::span<double> distances,
                     const std::function<bool(double)>& progress) const {
  return TileScan(tiles_, search, ids, distances).run(progress);
}

}  // namespace imputedb
