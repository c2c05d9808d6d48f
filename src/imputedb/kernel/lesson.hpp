// What a model of one column is learnt from: which rows, which predictors, and in which order categories stand.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "binning.hpp"
#include "tree.hpp"

namespace imputedb {

struct Settings {
  int cycles = 2;
  int leaves = 64;
  int min_leaf = 10;
  bool draw = false;
  std::uint64_t seed = 0, draw_number = 0;
  int threads = 1;
  std::size_t taught = 0;  // the first rows, which models are learnt from
};

// What random numbers are keyed by.
struct Marks {
  std::span<const std::uint64_t> keys;  // empty: row numbers

  std::uint64_t key(std::size_t row) const { return keys.empty() ? row : keys[row]; }
};

// The table's codes as they stand, the target's observed values, and keyed row numbers.
struct Lesson {
  const std::vector<Binned>& columns;
  const Column& target;
  int place;                            // of the target among the columns
  const Marks& marks;
  const Settings& settings;
  int cycle;
  std::size_t most;  // rows to learn from
  const std::atomic<bool>& stop;

  const Binned& column(int place) const { return columns[static_cast<std::size_t>(place)]; }
  std::uint64_t key(std::size_t row) const { return marks.key(row); }
};

constexpr std::size_t kFewestRows = 20;  // below, a column's centre is all that is learnt

// Rows where the target is observed; of very many a sample, keyed by row.
std::vector<std::uint32_t> training_rows(const Lesson& lesson);

// Columns that can tell something; the best by correlation with y where there are many more than a tree can use.
std::vector<int> predictors(const Lesson& lesson, const std::vector<std::uint32_t>& rows, const std::vector<float>& y);

// Per code the mean of y, shrunk towards the overall mean of 0.
std::vector<float> level_means(const Binned& column, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y);

// The features' codes of the rows into the sample, categories in the order of the mean of y; that order a feature.
std::vector<std::vector<std::uint8_t>> gather(const Lesson& lesson, const std::vector<int>& features,
                                              const std::vector<std::uint32_t>& rows, const std::vector<float>& y,
                                              Sample& sample);

// Per code a standardised number for a linear model; 0 where the value is missing.
std::vector<float> standardised(std::vector<float> by_code, const Binned& column,
                                const std::vector<std::uint32_t>& rows);

// A quarter of the rows, keyed by row, is kept from the fit: places among the training rows.
struct Split {
  std::vector<std::uint32_t> grow, hold;
};
Split split(const Lesson& lesson, const std::vector<std::uint32_t>& rows);

}  // namespace imputedb
