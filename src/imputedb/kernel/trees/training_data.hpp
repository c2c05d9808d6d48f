// The training data of one column's model: its rows, its predictors, and the order of categories.
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
  int cycles = -1;  // cycles of draws after their start; if negative, as many as the missing values require
  int leaves = 64;
  int min_leaf = 10;
  std::uint64_t seed = 0, draw_number = 0;
  int threads = 1;
  std::size_t fitted_rows = 0;  // number of first rows that models are fitted to
};

// By row, the key of its random numbers, and the number of the only draw in which it is filled.
struct Marks {
  static constexpr std::int64_t kEvery = -1;

  std::span<const std::uint64_t> keys;  // row numbers if empty
  std::span<const std::int64_t> draws;  // kEvery for a row that is filled in all draws; kEvery for all if empty

  std::uint64_t key(std::size_t row) const { return keys.empty() ? row : keys[row]; }
  std::int64_t draw(std::size_t row) const { return draws.empty() ? kEvery : draws[row]; }
};

// The codes of the table, the target's observed values, and the keys of rows.
struct TrainingData {
  const std::vector<Binned>& columns;
  const Column& target;
  int place;  // the place of the target among the columns
  const Marks& marks;
  const Settings& settings;
  std::size_t most;  // largest number of rows to learn from
  const std::atomic<bool>& stop;
  std::vector<std::uint8_t> barred = {};  // by column, whether it must not be a predictor; none unless given

  const Binned& column(int place) const { return columns[static_cast<std::size_t>(place)]; }
  std::uint64_t key(std::size_t row) const { return marks.key(row); }
};

constexpr std::size_t kFewestRows = 20;  // number of rows below which only a column's centre is learnt

// Rows where the target is observed; if there are more than `most`, a sample by their keys.
std::vector<std::uint32_t> training_rows(const TrainingData& training_data);

// The finite values of a target, standardised: (value - mean) / scale.
struct Numbers {
  std::vector<std::uint32_t> rows;
  std::vector<float> y;
  double mean = 0, scale = 0;
};
Numbers numbers(const TrainingData& training_data);

constexpr int kMaxClasses = 32;  // the most frequent ones; all rarer ones share a class, which is never predicted

// The classes of a nominal target, numbered by falling frequency.
struct Classes {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint8_t> k;
  std::vector<double> shares;  // by class

  int count() const { return static_cast<int>(shares.size()); }
  std::vector<float> indicator(std::size_t of_class) const;  // 1 or 0, less the class's share
};
Classes classes(const TrainingData& training_data);

// The columns that vary and are no keys; if there are too many, those with the strongest correlation with y.
std::vector<int> predictors(const TrainingData& training_data, const std::vector<std::uint32_t>& rows,
                            const std::vector<float>& y);

// By code, of which there are `bins`, the mean of y, shrunk towards the overall mean of 0.
std::vector<float> level_means(const std::uint8_t* codes, int bins, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y);

// The order in which trees see the codes of a column: ordered categories by their levels, nominal ones by the mean of
// y, numbers unchanged.
Order order_of(const Binned& column, const std::uint8_t* codes, const std::vector<std::uint32_t>& rows,
               const std::vector<float>& y);

// Writes the rows' codes of a feature to the sample, in the order that trees see.
void put(const Feature& feature, std::size_t place, const std::vector<std::uint32_t>& rows, Sample& sample);

// Writes the rows' codes of all features to the sample, and returns their orders.
std::vector<Order> gather(const TrainingData& training_data, const std::vector<int>& features,
                          const std::vector<std::uint32_t>& rows, const std::vector<float>& y, Sample& sample);

// By code, a standardised number for a linear model; 0 for a missing value.
std::vector<float> standardised(std::vector<float> by_code, const Binned& column,
                                const std::vector<std::uint32_t>& rows);

// A random split of the training rows, as places among these: a quarter is held out of the fit.
struct Split {
  std::vector<std::uint32_t> grow, hold;
};
Split split(const TrainingData& training_data, const std::vector<std::uint32_t>& rows);

}  // namespace imputedb
