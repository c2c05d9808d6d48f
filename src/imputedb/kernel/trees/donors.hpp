// Draws of one column: a tree on a bootstrap of the rows where it is observed, whose leaves have the values to draw
// from.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
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
  Table z;  // standardised
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
  std::vector<std::uint32_t> whole;       // places of the rows that miss no feature; of few such rows, of all
  std::optional<CrossProducts> products;  // of views and lines, in these rows
};
Ground ground(const Lesson& lesson);

// Observed rows by the leaves of a tree, and linear predictions of them.
struct Donors {
  Tree tree;
  std::vector<Order> orders;
  std::vector<std::uint32_t> rows;    // leaf after leaf, as often as they are in the bootstrap
  std::vector<std::uint32_t> begins;  // per leaf, and where the last one ends
  std::vector<Feature> features;      // with the codes of this draw
  std::vector<Table> slopes;          // per feature, code and line; none where any row of a leaf is as good as another
  std::size_t lines = 0;              // numbers of a prediction
  std::uint32_t alike = 3, most = 8;  // rows of a leaf for each that is looked at, and how many are at most
  std::vector<float> line;            // predictions of the rows; empty where only those that are looked at are worked out

  bool known() const { return !rows.empty(); }

  // A donor for a row that comes to a leaf: of a few random ones of the leaf the one whose prediction is nearest, so that
  // values follow their predictors within a leaf too. The larger the leaf, the more are looked at. `below` gives random
  // numbers below its argument, by turn.
  template <class Below>
  std::uint32_t of(std::size_t node, std::uint32_t row, Below&& below) const {
    const auto leaf = static_cast<std::size_t>(tree.nodes[node].leaf);
    const std::uint32_t first = begins[leaf], count = begins[leaf + 1] - first;
    std::uint32_t best = first + below(0, count);
    const std::uint32_t looks = slopes.empty() ? 1 : std::min(count / alike, most);
    if (looks < 2) return rows[best];
    const Prediction wanted = prediction(row);
    float least = away(best, wanted);
    for (std::uint32_t turn = 1; turn < looks; ++turn) {
      const std::uint32_t other = first + below(turn, count);
      const float found = away(other, wanted);
      if (found < least) least = found, best = other;
    }
    return rows[best];
  }

  // Works out all predictions, if so many rows are to be given donors that it pays.
  void expect(std::size_t wanted) {
    if (slopes.empty() || wanted * most < rows.size()) return;
    line.assign(rows.size() * lines, 0.0F);
    for (std::size_t f = 0; f < slopes.size(); ++f)
      for (std::size_t i = 0; !slopes[f].empty() && i < rows.size(); ++i)
        add(f, rows[i], std::span(line).subspan(i * lines, lines));
  }

 private:
  using Prediction = std::array<float, kMostLines>;

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
