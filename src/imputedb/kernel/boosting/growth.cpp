#include "boosting/growth.hpp"

#include <algorithm>
#include <cfloat>

namespace imputedb {
namespace {

constexpr double kSmooth = 10;   // shrinkage of a level's mean gradient before levels are sorted
constexpr double kFewest = 1e-9;  // smallest gain of a split

struct Sums {
  double gradient = 0, curvature = 0, rows = 0;

  Sums& operator+=(const Sums& other) {
    gradient += other.gradient, curvature += other.curvature, rows += other.rows;
    return *this;
  }
  Sums operator-(const Sums& other) const {
    return {gradient - other.gradient, curvature - other.curvature, rows - other.rows};
  }
};

using Histogram = std::vector<Sums>;

struct Choice {
  double gain = kFewest;
  int feature = -1;
  int last = 0;  // for numbers: the last bin that goes left
  bool missing_left = false;
  std::vector<std::uint8_t> bins;  // for categories: the bins that go left
};

struct Leaf {
  std::size_t begin, end;
  std::size_t node;
  int depth;
  Sums sums;
  Histogram histogram;
  Choice choice;
};

class Growing {
 public:
  Growing(const Coded& data, const BoostingSettings& settings, std::span<const double> gradients,
          std::span<const double> curvatures, std::span<std::uint32_t> rows, Forest& forest)
      : data_(data), settings_(settings), g_(gradients), h_(curvatures), rows_(rows), forest_(forest) {}

  void run(std::span<double> out) {
    forest_.roots.push_back(static_cast<std::int32_t>(forest_.nodes.size()));
    Leaf root{0, rows_.size(), add(), 0, {}, {}, {}};
    root.histogram = histogram(0, rows_.size());
    for (int code = 0; code <= data_.bins[0].count; ++code) root.sums += root.histogram[static_cast<std::size_t>(code)];
    choose(root);
    leaves_.push_back(std::move(root));
    while (static_cast<int>(leaves_.size()) < settings_.leaves) {
      const auto best = std::max_element(leaves_.begin(), leaves_.end(), [](const Leaf& a, const Leaf& b) {
        return (a.choice.feature < 0 ? 0 : a.choice.gain) < (b.choice.feature < 0 ? 0 : b.choice.gain);
      });
      if (best->choice.feature < 0) break;
      split(static_cast<std::size_t>(best - leaves_.begin()));
    }
    for (const Leaf& leaf : leaves_) {
      const double value = -settings_.rate * leaf.sums.gradient / (leaf.sums.curvature + settings_.l2);
      forest_.nodes[leaf.node].threshold = value;
      for (std::size_t i = leaf.begin; i < leaf.end; ++i) out[rows_[i]] += value;
    }
  }

 private:
  std::size_t add() {
    forest_.nodes.emplace_back();
    return forest_.nodes.size() - 1;
  }

  Histogram histogram(std::size_t begin, std::size_t end) const {
    Histogram found(data_.starts.back());
    const std::size_t width = data_.width();
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint32_t row = rows_[i];
      const std::uint8_t* codes = data_.row(row);
      const Sums one{g_[row], h_[row], 1};
      for (std::size_t f = 0; f < width; ++f) found[data_.starts[f] + codes[f]] += one;
    }
    return found;
  }

  double score(const Sums& sums, double extra = 0) const {
    return sums.gradient * sums.gradient / (sums.curvature + settings_.l2 + extra);
  }

  void consider(Choice& best, const Sums& all, const Sums& left, double extra, int feature, int last,
                bool missing_left, std::span<const std::uint8_t> bins) const {
    const Sums right = all - left;
    if (left.rows < settings_.min_leaf || right.rows < settings_.min_leaf) return;
    const double gain = score(left, extra) + score(right, extra) - score(all, extra);
    if (gain <= best.gain) return;
    best.gain = gain, best.feature = feature, best.last = last, best.missing_left = missing_left;
    best.bins.assign(bins.begin(), bins.end());
  }

  void choose(Leaf& leaf) const {
    leaf.choice = {};
    if (leaf.depth >= settings_.depth || leaf.sums.rows < 2 * settings_.min_leaf) return;
    for (std::size_t f = 0; f < data_.width(); ++f) {
      const std::span<const Sums> sums(leaf.histogram.data() + data_.starts[f],
                                       static_cast<std::size_t>(data_.bins[f].count) + 1);
      if (data_.bins[f].nominal)
        of_levels(leaf, sums, static_cast<int>(f));
      else
        of_numbers(leaf, sums, static_cast<int>(f));
    }
  }

  // Missing values are tried on both sides; without any, they would go to the side with more rows.
  void both(Leaf& leaf, const Sums& left, const Sums& missing, double extra, int feature, int last,
            std::span<const std::uint8_t> bins) const {
    if (missing.rows == 0) {
      consider(leaf.choice, leaf.sums, left, extra, feature, last, 2 * left.rows > leaf.sums.rows, bins);
      return;
    }
    consider(leaf.choice, leaf.sums, left, extra, feature, last, false, bins);
    Sums with = left;
    with += missing;
    consider(leaf.choice, leaf.sums, with, extra, feature, last, true, bins);
  }

  void of_numbers(Leaf& leaf, std::span<const Sums> sums, int feature) const {
    Sums left;
    const Sums& missing = sums.back();
    const int count = static_cast<int>(sums.size()) - 1;
    for (int bin = 0; bin < count; ++bin) {
      left += sums[static_cast<std::size_t>(bin)];
      if (sums[static_cast<std::size_t>(bin)].rows > 0 || bin + 1 == count)
        both(leaf, left, missing, 0, feature, bin, {});
    }
  }

  void of_levels(Leaf& leaf, std::span<const Sums> sums, int feature) const {
    std::vector<std::uint8_t> order;
    for (std::size_t bin = 0; bin + 2 < sums.size(); ++bin)
      if (sums[bin].rows > 0) order.push_back(static_cast<std::uint8_t>(bin));
    const auto mean = [&](std::uint8_t bin) { return sums[bin].gradient / (sums[bin].curvature + kSmooth); };
    std::stable_sort(order.begin(), order.end(), [&](std::uint8_t a, std::uint8_t b) { return mean(a) < mean(b); });
    Sums left;
    for (std::size_t i = 0; i < order.size(); ++i) {
      left += sums[order[i]];
      both(leaf, left, sums.back(), kSmooth, feature, 0, {order.data(), i + 1});
    }
  }

  bool goes_left(const Choice& choice, std::uint8_t code, const std::vector<bool>& among) const {
    const Bins& bins = data_.bins[static_cast<std::size_t>(choice.feature)];
    if (code == bins.count) return choice.missing_left;
    return bins.nominal ? among[code] : code <= choice.last;
  }

  void split(std::size_t place) {
    const Choice choice = leaves_[place].choice;
    const Bins& bins = data_.bins[static_cast<std::size_t>(choice.feature)];
    std::vector<bool> among(256, false);
    for (const std::uint8_t bin : choice.bins) among[bin] = true;
    Leaf& leaf = leaves_[place];
    const auto first = rows_.begin() + static_cast<std::ptrdiff_t>(leaf.begin);
    const auto middle = std::stable_partition(first, rows_.begin() + static_cast<std::ptrdiff_t>(leaf.end), [&](auto i) {
      return goes_left(choice, data_.row(i)[choice.feature], among);
    });
    const std::size_t cut = leaf.begin + static_cast<std::size_t>(middle - first);
    const std::size_t left_node = add(), right_node = add();
    Split& node = forest_.nodes[leaf.node];
    node.feature = choice.feature;
    node.left = static_cast<std::int32_t>(left_node);
    node.missing_left = choice.missing_left;
    if (bins.nominal)
      node.set = set_of(bins, choice.bins);
    else
      node.threshold = choice.last + 1 < bins.count ? bins.upper[static_cast<std::size_t>(choice.last)] : DBL_MAX;
    Leaf left{leaf.begin, cut, left_node, leaf.depth + 1, {}, {}, {}};
    Leaf right{cut, leaf.end, right_node, leaf.depth + 1, {}, {}, {}};
    Leaf& small = left.end - left.begin <= right.end - right.begin ? left : right;
    Leaf& large = &small == &left ? right : left;
    small.histogram = histogram(small.begin, small.end);
    large.histogram = std::move(leaf.histogram);
    for (std::size_t i = 0; i < small.histogram.size(); ++i)
      large.histogram[i] = large.histogram[i] - small.histogram[i];
    for (int code = 0; code <= data_.bins[0].count; ++code)
      small.sums += small.histogram[static_cast<std::size_t>(code)];
    large.sums = leaf.sums - small.sums;
    choose(left), choose(right);
    leaves_[place] = std::move(left);
    leaves_.push_back(std::move(right));
  }

  std::int32_t set_of(const Bins& bins, std::span<const std::uint8_t> chosen) {
    const auto begin = static_cast<std::int32_t>(forest_.sets.size());
    forest_.sets.resize(forest_.sets.size() + (bins.code_of.size() + 63) / 64);
    for (const std::uint8_t bin : chosen) {
      const auto level = static_cast<std::size_t>(bins.levels[bin]);
      forest_.sets[static_cast<std::size_t>(begin) + level / 64] |= std::uint64_t{1} << (level % 64);
    }
    return begin;
  }

  const Coded& data_;
  const BoostingSettings& settings_;
  std::span<const double> g_, h_;
  std::span<std::uint32_t> rows_;
  Forest& forest_;
  std::vector<Leaf> leaves_;
};

}  // namespace

Coded coded(const Examples& examples) {
  Coded found;
  const std::size_t n = examples.y.size(), width = examples.levels.size();
  found.codes.resize(n * width);
  std::size_t start = 0;
  for (std::size_t f = 0; f < width; ++f) {
    const auto values = examples.x.subspan(f * n, n);
    found.bins.push_back(bins_of(values, examples.weight, examples.levels[f]));
    found.starts.push_back(start);
    start += static_cast<std::size_t>(found.bins[f].count) + 1;
    for (std::size_t i = 0; i < n; ++i) found.codes[i * width + f] = found.bins[f].code(values[i]);
  }
  found.starts.push_back(start);
  return found;
}

void grow(const Coded& data, const BoostingSettings& settings, std::span<const double> gradients,
          std::span<const double> curvatures, std::span<std::uint32_t> rows, Forest& forest, std::span<double> out) {
  Growing(data, settings, gradients, curvatures, rows, forest).run(out);
}

}  // namespace imputedb
