// What a model of one column is learnt from: which rows, which predictors, and in which order categories stand.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "trees/binning.hpp"
#include "trees/descent.hpp"
#include "trees/tree.hpp"

namespace imputedb {

struct Settings {
  int cycles = -1;  // of draws after their start; below 0 as many as the missing values ask for
  int leaves = 64;
  int min_leaf = 10;
  std::uint64_t seed = 0, draw_number = 0;
  int threads = 1;
  std::size_t taught = 0;  // the first rows, which models are learnt from
};

// Of every row what random numbers are keyed by, and the number of the draw that alone it is filled in for.
struct Marks {
  static constexpr std::int64_t kEvery = -1;

  std::span<const std::uint64_t> keys;  // empty: row numbers
  std::span<const std::int64_t> draws;  // kEvery where it is filled in for all; empty: all are

  std::uint64_t key(std::size_t row) const { return keys.empty() ? row : keys[row]; }
  std::int64_t draw(std::size_t row) const { return draws.empty() ? kEvery : draws[row]; }
};

// The table's codes as they stand, the target's observed values, and keyed row numbers.
struct Lesson {
  const std::vector<Binned>& columns;
  const Column& target;
  int place;  // of the target among the columns
  const Marks& marks;
  const Settings& settings;
  std::size_t most;  // rows to learn from
  const std::atomic<bool>& stop;
  std::vector<std::uint8_t> barred = {};  // by column, whether it is not to predict; none unless given

  const Binned& column(int place) const { return columns[static_cast<std::size_t>(place)]; }
  std::uint64_t key(std::size_t row) const { return marks.key(row); }
};

constexpr std::size_t kFewestRows = 20;  // below, a column's centre is all that is learnt

// Rows where the target is observed; of very many a sample, keyed by row.
std::vector<std::uint32_t> training_rows(const Lesson& lesson);

// The finite values of a target, standardised: (value - mean) / scale.
struct Numbers {
  std::vector<std::uint32_t> rows;
  std::vector<float> y;
  double mean = 0, scale = 0;
};
Numbers numbers(const Lesson& lesson);

constexpr int kMaxClasses = 32;  // the most frequent ones; all rarer ones are told apart from them, never predicted

// The categories of a target, numbered by falling frequency.
struct Classes {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint8_t> k;
  std::vector<double> shares;  // per class

  int count() const { return static_cast<int>(shares.size()); }
  std::vector<float> indicator(std::size_t of_class) const;  // 1 or 0, less the class's share
};
Classes classes(const Lesson& lesson);

// Columns that can tell something; the best by correlation with y where there are many more than a tree can use.
std::vector<int> predictors(const Lesson& lesson, const std::vector<std::uint32_t>& rows, const std::vector<float>& y);

// Per code, of which there are `bins`, the mean of y, shrunk towards the overall mean of 0.
std::vector<float> level_means(const std::uint8_t* codes, int bins, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y);

// The order in which trees see the codes of a column: of categories by the mean of y or, where they stand in an order,
// by that; all others as they are.
Order order_of(const Binned& column, const std::uint8_t* codes, const std::vector<std::uint32_t>& rows,
               const std::vector<float>& y);

// The rows' codes of a feature into the sample, in the order that trees see.
void put(const Feature& feature, std::size_t place, const std::vector<std::uint32_t>& rows, Sample& sample);

// The rows' codes of all features into the sample; their orders.
std::vector<Order> gather(const Lesson& lesson, const std::vector<int>& features,
                          const std::vector<std::uint32_t>& rows, const std::vector<float>& y, Sample& sample);

// Per code a standardised number for a linear model; 0 where the value is missing.
std::vector<float> standardised(std::vector<float> by_code, const Binned& column,
                                const std::vector<std::uint32_t>& rows);

// A quarter of the rows, keyed by row, is kept from the fit: places among the training rows.
struct Split {
  std::vector<std::uint32_t> grow, hold;
};
Split split(const Lesson& lesson, const std::vector<std::uint32_t>& rows);

}  // namespace imputedb
