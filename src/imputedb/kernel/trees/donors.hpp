// Draws of one column: a tree on a bootstrap of the rows where it is observed, whose leaves have the values to draw
// from.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "trees/lesson.hpp"
#include "trees/leaf_model.hpp"
#include "shared/random.hpp"

namespace imputedb {

constexpr std::size_t kMostLines = 4;  // frequent classes of which a linear model tells how likely each is

// A number a code of one feature, of which linear models are made; categories have one for each frequent class.
struct View {
  std::size_t feature;
  std::size_t line;  // that a category's numbers are made by
  Table z;           // standardised
};

// What all draws of a column learn from.
struct Ground {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint64_t> keys;  // of the rows, hashed
  std::vector<float> y;             // by whose means categories are ordered
  std::vector<int> features;        // none where the column's observed values are all that is known
  std::vector<Order> orders;        // per feature
  Sample sample;
  std::vector<std::vector<std::uint32_t>> of_class;  // per class the places of its rows
  std::vector<std::vector<float>> lines;  // what linear models tell: y, or of the frequent classes which a row is of
  std::vector<View> views;
  std::vector<std::uint32_t> whole;  // places of the rows that miss no feature; of few such rows, of all
};
Ground ground(const Lesson& lesson);

// Of rows that are looked at the nearest below and the nearest above a prediction.
class Bracket {
 public:
  explicit Bracket(float wanted) : wanted_(wanted) {}

  void take(std::uint32_t place, float found) {
    const float away = found - wanted_;
    if (away <= 0 && -away < under_) under_ = -away, low_ = place;
    if (away >= 0 && away < over_) over_ = away, high_ = place;
  }
  bool open() const { return under_ == kNone || over_ == kNone; }

  // One of the two, by the chance that makes them what is wanted on average; `share` is a uniform number.
  std::uint32_t of(float share) const {
    if (over_ == kNone) return low_;
    return under_ == kNone || share * (under_ + over_) < under_ ? high_ : low_;
  }

 private:
  static constexpr float kNone = std::numeric_limits<float>::infinity();

  float wanted_, under_ = kNone, over_ = kNone;
  std::uint32_t low_ = 0, high_ = 0;
};

// Observed rows by the nodes of a tree, and linear predictions of them.
struct Donors {
  // Places of a node's rows, which those of its children share out.
  struct Range {
    std::uint32_t begin, end;
    std::uint32_t size() const { return end - begin; }
  };

  Tree tree;
  std::vector<Order> orders;
  std::vector<std::uint32_t> rows;     // leaf after leaf, as often as they are in the bootstrap
  std::vector<Range> ranges;           // per node
  std::vector<std::uint32_t> parents;  // per node
  std::vector<bool> straight;          // per node whether the linear model tells what its split does; numbers alone
  std::vector<Feature> features;       // with the codes of this draw
  std::vector<Table> slopes;           // per feature, code and line; none where any row of a leaf is as good as another
  std::size_t lines = 0;               // numbers of a prediction
  std::vector<float> line;             // predictions of the rows; empty where only those that are looked at are worked out

  bool known() const { return !rows.empty(); }

  // A donor for a row that comes to a leaf. `below` gives random numbers below its argument, by turn.
  template <class Below>
  std::uint32_t of(std::size_t leaf, std::uint32_t row, Below&& below) const {
    if (slopes.empty()) return rows[ranges[leaf].begin + below(0, ranges[leaf].size())];
    return straight.empty() ? nearest(leaf, row, below) : between(leaf, row, below);
  }

  // Works out all predictions, if so many rows are to be given donors that it pays.
  void expect(std::size_t wanted) {
    if (line.empty() && wanted * kLooks >= rows.size()) predict();
  }

  // Works out all predictions.
  void predict() {
    line.assign(rows.size() * lines, 0.0F);
    for (std::size_t f = 0; f < slopes.size(); ++f)
      for (std::size_t i = 0; !slopes[f].empty() && i < rows.size(); ++i)
        add(f, rows[i], std::span(line).subspan(i * lines, lines));
  }

 private:
  using Prediction = std::array<float, kMostLines>;

  static constexpr std::uint32_t kLooks = 32;  // rows of a leaf that are looked at for a category, at most
  static constexpr std::uint32_t kAlike = 4;   // rows of a leaf for each that is looked at for a number
  static constexpr std::uint32_t kFew = 4;     // of those, at most
  static constexpr std::uint32_t kMore = 8;    // further rows of each node, while one side of the prediction has none
  static constexpr std::uint32_t kFine = 1U << 24;  // steps of a chance
  static constexpr std::uint32_t kChoice = ~0U;     // the turn by which a side is chosen

  // Of random rows of the leaf the one whose prediction is nearest, so that values follow their predictors within a leaf.
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

  // One of two random rows, of predictions below and above, so that what the line expects of donors is what it expects
  // of the row, on average: the nearest alone would lean towards the middle of its leaf. Where the leaf has but one side,
  // the other is looked for in the nodes above it, as long as the line tells what their splits do.
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

  // How far the prediction of a donor is from one.
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

  // What a feature of a row adds to its prediction.
  void add(std::size_t f, std::uint32_t row, std::span<float> to) const {
    const float* slope = slopes[f].data() + features[f].codes[row] * lines;
    for (std::size_t k = 0; k < lines; ++k) to[k] += slope[k];
  }
};

// The columns as a draw has them: by column of the table its codes, and whether other draws have others.
struct Codes {
  std::vector<const std::uint8_t*> now;
  std::vector<bool> drawn;
  std::vector<bool> known;  // false while nothing has been drawn of a column that will be: no model may use it
};

// Proper in Rubin's sense as far as the tree is (Burgette & Reiter 2010; approximate Bayesian bootstrap within leaves).
Donors donors(const Ground& ground, const std::vector<Binned>& columns, const Codes& codes, const Stream& bootstrap,
              const Settings& settings);

}  // namespace imputedb
