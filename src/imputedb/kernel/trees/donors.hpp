// Draws of one column: a tree is grown on a bootstrap of the rows where it is observed, and its leaves hold the donors.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "shared/random.hpp"
#include "trees/leaf_model.hpp"
#include "trees/training_data.hpp"

namespace imputedb {

constexpr std::size_t kMostLines = 4;  // frequent classes whose indicators linear models predict

// A numeric encoding of one feature for linear models; a nominal feature has one for each frequent class.
struct View {
  std::size_t feature;
  std::size_t line;  // the target whose means encode a nominal feature
  Table z;           // standardised numbers by code
};

// The training data that all draws of a column share.
struct DonorPool {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint64_t> keys;  // hashed keys of the rows
  std::vector<float> y;             // the target, by whose means categories are ordered
  std::vector<int> features;        // predictors; empty if only the column's observed values are known
  std::vector<Order> orders;        // by feature
  Sample sample;
  std::vector<std::vector<std::uint32_t>> of_class;  // by class, the places of its rows
  std::vector<std::vector<float>> lines;  // targets of linear models: y, or indicators of the frequent classes
  std::vector<View> views;
  std::vector<std::uint32_t> whole;  // places of the rows that miss no feature; of all rows if such rows are few
};
DonorPool donor_pool(const TrainingData& training_data);

// Among the rows examined, the nearest below and the nearest above a prediction.
class Bracket {
 public:
  explicit Bracket(float wanted) : wanted_(wanted) {}

  void take(std::uint32_t place, float found) {
    const float away = found - wanted_;
    if (away <= 0 && -away < under_) under_ = -away, low_ = place;
    if (away >= 0 && away < over_) over_ = away, high_ = place;
  }
  bool open() const { return under_ == kNone || over_ == kNone; }

  // One of the two, with probabilities that make their expectation equal the prediction; `share` is a uniform number.
  std::uint32_t of(float share) const {
    if (over_ == kNone) return low_;
    return under_ == kNone || share * (under_ + over_) < under_ ? high_ : low_;
  }

 private:
  static constexpr float kNone = std::numeric_limits<float>::infinity();

  float wanted_, under_ = kNone, over_ = kNone;
  std::uint32_t low_ = 0, high_ = 0;
};

// Observed rows by the nodes of a tree, with their linear predictions.
struct Donors {
  // The places of a node's rows, which its children divide.
  struct Range {
    std::uint32_t begin, end;
    std::uint32_t size() const { return end - begin; }
  };

  Tree tree;
  std::vector<Order> orders;
  std::vector<std::uint32_t> rows;     // leaf after leaf, each as often as it is in the bootstrap
  std::vector<Range> ranges;           // by node
  std::vector<std::uint32_t> parents;  // by node
  std::vector<bool> straight;          // by node, whether the linear model explains its split; for numbers and two classes
  std::vector<Feature> features;       // with the codes of this draw
  std::vector<Table> slopes;           // by feature, code and line; empty without a linear model
  std::size_t lines = 0;               // number of values in a prediction
  std::vector<float> line;             // predictions of all rows; empty if they are computed when they are needed

  bool known() const { return !rows.empty(); }

  // A donor for a row in a leaf. below(turn, n) gives a random number below n for each turn.
  template <class Below>
  std::uint32_t of(std::size_t leaf, std::uint32_t row, Below&& below) const {
    if (slopes.empty()) return rows[ranges[leaf].begin + below(0, ranges[leaf].size())];
    return straight.empty() ? nearest(leaf, row, below) : between(leaf, row, below);
  }

  // Computes all predictions, if enough rows need donors for that to pay.
  void expect(std::size_t wanted) {
    if (line.empty() && wanted * kLooks >= rows.size()) predict();
  }

  // Computes all predictions.
  void predict() {
    line.assign(rows.size() * lines, 0.0F);
    for (std::size_t f = 0; f < slopes.size(); ++f)
      for (std::size_t i = 0; !slopes[f].empty() && i < rows.size(); ++i)
        add(f, rows[i], std::span(line).subspan(i * lines, lines));
  }

 private:
  using Prediction = std::array<float, kMostLines>;

  static constexpr std::uint32_t kLooks = 32;  // largest number of rows of a leaf examined for a category
  static constexpr std::uint32_t kAlike = 4;   // rows of a leaf for each one examined for a number
  static constexpr std::uint32_t kFew = 4;     // largest number of these
  static constexpr std::uint32_t kMore = 8;    // further rows of each node, while one side of the prediction is empty
  static constexpr std::uint32_t kFine = 1U << 24;  // resolution of a probability
  static constexpr std::uint32_t kChoice = ~0U;     // the turn that chooses a side

  // Among random rows of the leaf, the one with the nearest prediction, so that values follow predictors within a leaf.
  template <class Below>
  std::uint32_t nearest(std::size_t leaf, std::uint32_t row, Below&& below) const {
    const auto [first, end] = ranges[leaf];
    std::uint32_t best = first + below(0, end - first);
    const std::uint32_t looks = std::min(end - first, kLooks);
    if (looks < 2) return rows[best];
    const Prediction wanted = prediction(row);
    float least = away(best, wanted);
    for (std::uint32_t turn = 1; turn < looks; ++turn) {
      const std::uint32_t other = first + below(turn, end - first);
      const float found = away(other, wanted);
      if (found < least) least = found, best = other;
    }
    return rows[best];
  }

  // One of two random rows, with predictions below and above that of the row. On average the donors' predictions then
  // equal the row's; those of the nearest row alone would be biased towards the middle of the leaf. If the leaf has
  // rows on one side only, the other side is searched in the nodes above it, while the linear model explains their
  // splits.
  template <class Below>
  std::uint32_t between(std::size_t leaf, std::uint32_t row, Below&& below) const {
    Bracket found(prediction(row)[0]);
    std::uint32_t turn = 0;
    const auto look = [&](std::size_t node) {
      const std::uint32_t place = ranges[node].begin + below(turn++, ranges[node].size());
      found.take(place, line[place]);
    };
    const std::uint32_t few = std::clamp(ranges[leaf].size() / kAlike, 1U, kFew);
    while (turn < few || (found.open() && turn < few + kMore)) look(leaf);
    for (std::size_t node = leaf; found.open() && node > 0 && straight[parents[node]];) {
      node = parents[node];
      for (std::uint32_t more = 0; more < kMore; ++more) look(node);
    }
    return rows[found.of(static_cast<float>(below(kChoice, kFine)) / static_cast<float>(kFine))];
  }

  // The distance of a donor's prediction from a given one.
  float away(std::size_t place, const Prediction& wanted) const {
    const Prediction own = line.empty() ? prediction(rows[place]) : Prediction{};
    const float* found = line.empty() ? own.data() : line.data() + place * lines;
    float sum = 0;
    for (std::size_t k = 0; k < lines; ++k) sum += std::abs(found[k] - wanted[k]);
    return sum;
  }

  Prediction prediction(std::uint32_t row) const {
    Prediction out{};
    for (std::size_t f = 0; f < slopes.size(); ++f)
      if (!slopes[f].empty()) add(f, row, std::span(out).first(lines));
    return out;
  }

  // Adds the contribution of a feature to a row's prediction.
  void add(std::size_t f, std::uint32_t row, std::span<float> to) const {
    const float* slope = slopes[f].data() + features[f].codes[row] * lines;
    for (std::size_t k = 0; k < lines; ++k) to[k] += slope[k];
  }
};

// The columns in one draw: by column its codes, and whether they differ between draws.
struct Codes {
  std::vector<const std::uint8_t*> now;
  std::vector<bool> drawn;
  std::vector<bool> known;  // false for a column that is still to be drawn, which no model may use
};

// The donors of one draw, by a tree on a bootstrap of the rows (Burgette & Reiter 2010). Draws are proper in Rubin's
// sense as far as the tree is.
Donors donors(const DonorPool& donor_pool, const std::vector<Binned>& columns, const Codes& codes,
              const Stream& bootstrap, const Settings& settings);

}  // namespace imputedb
