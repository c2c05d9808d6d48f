#include "trees/tree.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <queue>

namespace imputedb {
namespace {

constexpr double kFewGaps = 5;  // rows with a missing feature below which the side of missing values is unknown

// By feature and bin: the number of rows and their sum of y packed into one number, or the number of rows by class.
struct Histogram {
  std::vector<std::int64_t> sums;
  std::vector<std::uint32_t> count;

  void subtract(const Histogram& other) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] -= other.sums[i];
    for (std::size_t i = 0; i < count.size(); ++i) count[i] -= other.count[i];
  }
};

// A fixed-point sum in the high bits and a count in the low bits: one addition updates both, exactly in any order.
class Packing {
 public:
  // For `count` values whose absolute values sum up to `sum`.
  Packing(std::size_t count, double sum) : bits_(std::bit_width(count)) {
    scale_ = std::ldexp(1.0, 61 - bits_ - std::ilogb(sum + 1));
  }

  std::int64_t packed(float value) const {
    return std::llrint(static_cast<double>(value) * scale_) * (std::int64_t{1} << bits_) + 1;
  }
  double rows(std::int64_t sum) const { return static_cast<double>(sum & ((std::int64_t{1} << bits_) - 1)); }
  double scaled(std::int64_t sum) const { return static_cast<double>(sum >> bits_); }
  double scale() const { return scale_; }

 private:
  int bits_;
  double scale_ = 1;
};

// The bins of one feature that have rows.
struct Occupied {
  std::array<std::int64_t, 256> sums;
  std::array<std::uint8_t, 256> codes;
  std::size_t size = 0;

  Occupied(const std::int64_t* all, std::size_t bins) {
    for (std::size_t bin = 0; bin < bins; ++bin) {
      sums[size] = all[bin];
      codes[size] = static_cast<std::uint8_t>(bin);
      size += all[bin] != 0;
    }
  }
};

struct Split {
  double gain = 0;
  int feature = -1;
  std::uint8_t threshold = 0;
  bool missing_left = true;
};

struct OpenNode {
  int node;
  std::uint32_t begin, end;
  std::int64_t total;  // the packed sum of the rows or, for classes, their count
  Histogram histogram;
  Split split;
};

class Grower {
 public:
  Grower(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth,
         std::span<const std::uint8_t> times)
      : sample_(sample),
        rows_(rows),
        growth_(growth),
        times_(times),
        packing_(packing()),
        totals_(sample.rows()),
        right_(rows.size()) {
    offsets_.push_back(0);
    for (const std::uint32_t row : rows)
      totals_[row] = classes() ? times_of(row) : times_of(row) * packing_.packed(sample.y[row]);
    for (int bins : sample.bins) offsets_.push_back(offsets_.back() + static_cast<std::size_t>(bins) * width());
  }

  Tree grow() {
    tree_.nodes.emplace_back();
    const auto n = static_cast<std::uint32_t>(rows_.size());
    add(0, 0, n, total(0, n), nullptr);
    auto worse = [this](int a, int b) {
      const double ga = open_[a].split.gain, gb = open_[b].split.gain;
      return ga != gb ? ga < gb : a > b;
    };
    std::priority_queue<int, std::vector<int>, decltype(worse)> queue(worse);
    if (open_[0].split.feature >= 0) queue.push(0);
    tree_.leaves = 1;
    while (!queue.empty() && tree_.leaves < growth_.leaves) {
      const int place = queue.top();
      queue.pop();
      const auto [left, right] = divide(place);
      ++tree_.leaves;
      for (int child : {left, right})
        if (open_[child].split.feature >= 0) queue.push(child);
    }
    number_leaves();
    return std::move(tree_);
  }

 private:
  int classes() const { return sample_.classes; }
  bool barred(std::size_t feature) const { return !growth_.barred.empty() && growth_.barred[feature] != 0; }
  std::size_t width() const { return classes() ? static_cast<std::size_t>(classes()) : 1; }

  std::int64_t times_of(std::uint32_t row) const { return times_.empty() ? 1 : times_[row]; }

  Packing packing() const {
    std::size_t count = 0;
    double sum = 0;
    for (const std::uint32_t row : rows_) {
      count += static_cast<std::size_t>(times_of(row));
      if (!classes()) sum += static_cast<double>(times_of(row)) * std::abs(static_cast<double>(sample_.y[row]));
    }
    return {count, sum};
  }

  std::int64_t total(std::uint32_t begin, std::uint32_t end) const {
    std::int64_t sum = 0;
    for (std::uint32_t i = begin; i < end; ++i) sum += totals_[rows_[i]];
    return sum;
  }

  double count_of(const OpenNode& open) const {
    return classes() ? static_cast<double>(open.total) : packing_.rows(open.total);
  }

  Histogram histogram(std::uint32_t begin, std::uint32_t end) {
    Histogram h = std::move(spare_);
    h.count.assign(classes() ? offsets_.back() : 0, 0);
    h.sums.assign(classes() ? 0 : offsets_.back(), 0);
    const std::span<const std::uint32_t> rows(rows_.data() + begin, end - begin);
    if (classes())
      count(rows, h.count);
    else
      sum(rows, h.sums);
    return h;
  }

  void count(std::span<const std::uint32_t> rows, std::vector<std::uint32_t>& counts) const {
    const std::size_t features = sample_.width();
    for (const std::uint32_t row : rows) {
      const std::uint8_t* codes = sample_.row(row);
      const auto times = static_cast<std::uint32_t>(totals_[row]);
      std::uint32_t* of_class = counts.data() + sample_.k[row];
      for (std::size_t f = 0; f < features; ++f) of_class[offsets_[f] + codes[f] * width()] += times;
    }
  }

  void sum(std::span<const std::uint32_t> rows, std::vector<std::int64_t>& sums) const {
    const std::size_t features = sample_.width();
    const std::size_t* offsets = offsets_.data();
    std::int64_t* out = sums.data();
    for (const std::uint32_t row : rows) {
      const std::uint8_t* codes = sample_.row(row);
      const std::int64_t value = totals_[row];
      for (std::size_t f = 0; f < features; ++f) out[offsets[f] + codes[f]] += value;
    }
  }

  int add(int node, std::uint32_t begin, std::uint32_t end, std::int64_t total, Histogram* ready) {
    OpenNode open{node, begin, end, total, ready ? std::move(*ready) : Histogram{}, {}};
    const bool splits = count_of(open) >= 2 * growth_.min_leaf;
    if (!ready && splits) open.histogram = histogram(begin, end);
    summarise(tree_.nodes[static_cast<std::size_t>(node)], open);
    if (splits) open.split = classes() ? best_class_split(open) : best_split(open);
    if (open.split.feature < 0) spare_ = std::move(open.histogram);
    open_.push_back(std::move(open));
    return static_cast<int>(open_.size()) - 1;
  }

  void summarise(Node& node, const OpenNode& open) const {
    node.begin = open.begin;
    node.rows = open.end - open.begin;
    if (classes()) {
      std::vector<std::uint32_t> counts(width());
      for (std::uint32_t i = open.begin; i < open.end; ++i)
        counts[sample_.k[rows_[i]]] += static_cast<std::uint32_t>(totals_[rows_[i]]);
      node.value = static_cast<float>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    } else {
      const double n = count_of(open);
      node.value = n > 0 ? static_cast<float>(packing_.scaled(open.total) / packing_.scale() / n) : 0.0F;
    }
  }

  // The gain of a split is (sum_l n - sum n_l)^2 / (n n_l n_r).
  Split best_split(const OpenNode& open) const {
    const double scale = packing_.scale() * packing_.scale();
    const double n = count_of(open), all = packing_.scaled(open.total);
    Split best;
    best.gain = std::max(growth_.min_gain * scale, 1e-12 * all * all / n);
    for (std::size_t f = 0; f < sample_.width(); ++f) {
      if (barred(f)) continue;
      const int bins = sample_.bins[f];
      const Occupied some(open.histogram.sums.data() + offsets_[f], static_cast<std::size_t>(bins));
      scan(best, static_cast<int>(f), bins, some, open.total, true);
      if (some.size > 0 && some.codes[0] == 0) scan(best, static_cast<int>(f), bins, some, open.total, false);
    }
    best.gain /= scale;
    return best;
  }

  // Tries the thresholds of one feature; with missing values on the right, also one beyond all codes.
  void scan(Split& best, int f, int bins, const Occupied& some, std::int64_t total, bool missing_left) const {
    const double n = packing_.rows(total), all = packing_.scaled(total), least = growth_.min_leaf;
    double bound = best.gain * (1 + 1e-12) * n;
    std::int64_t left = 0;
    for (std::size_t place = missing_left ? 0 : 1; place < some.size; ++place) {
      left += some.sums[place];
      const double rows = packing_.rows(left), others = n - rows;
      if (rows < least) continue;
      if (others < least) break;
      const double apart = packing_.scaled(left) * n - all * rows;
      if (!(apart * apart > bound * (rows * others))) continue;
      const bool beyond = some.codes[place] + 1 == bins;
      best = {apart * apart / (n * rows * others), f, beyond ? std::uint8_t{255} : some.codes[place], missing_left};
      bound = best.gain * (1 + 1e-12) * n;
    }
  }

  // Gini impurity: the gain is the rise of the sum over children of (sum over classes of count^2) / rows.
  Split best_class_split(const OpenNode& open) const {
    Split best;
    best.gain = growth_.min_gain;
    const std::size_t w = width();
    const double n = count_of(open);
    std::vector<double> total(w), left(w);
    for (std::size_t f = 0; f < sample_.width(); ++f) {
      if (barred(f)) continue;
      const std::uint32_t* count = open.histogram.count.data() + offsets_[f];
      const int bins = sample_.bins[f];
      std::fill(total.begin(), total.end(), 0.0);
      for (int b = 0; b < bins; ++b)
        for (std::size_t c = 0; c < w; ++c) total[c] += count[b * w + c];
      double parent = 0;
      for (double t : total) parent += t * t / n;
      for (const bool missing_left : {true, false}) {
        std::fill(left.begin(), left.end(), 0.0);
        double rows = 0;
        for (int b = missing_left ? 0 : 1; b < bins; ++b) {
          double here = 0;
          for (std::size_t c = 0; c < w; ++c) {
            left[c] += count[b * w + c];
            here += count[b * w + c];
          }
          rows += here;
          if (here > 0) consider_classes(best, f, b, missing_left, left, total, rows, n, parent);
        }
      }
    }
    return best;
  }

  void consider_classes(Split& best, std::size_t f, int b, bool missing_left, const std::vector<double>& left,
                        const std::vector<double>& total, double rows, double n, double parent) const {
    const double others = n - rows;
    if (rows < growth_.min_leaf || others < growth_.min_leaf) return;
    double gain = -parent;
    for (std::size_t c = 0; c < total.size(); ++c) {
      const double right = total[c] - left[c];
      gain += left[c] * left[c] / rows + right * right / others;
    }
    if (gain > best.gain * (1 + 1e-12) && gain > 1e-9)
      best = {gain, static_cast<int>(f), static_cast<std::uint8_t>(b), missing_left};
  }

  // The number of rows that miss the feature by which they are split.
  double gaps_of(const OpenNode& open) const {
    const std::size_t first = offsets_[static_cast<std::size_t>(open.split.feature)];
    if (!classes()) return packing_.rows(open.histogram.sums[first]);
    const auto begin = open.histogram.count.begin() + static_cast<std::ptrdiff_t>(first);
    return std::accumulate(begin, begin + classes(), 0.0);
  }

  std::pair<int, int> divide(int place) {
    OpenNode& open = open_[place];
    const Split split = open.split;
    const std::uint32_t begin = open.begin, end = open.end;
    const std::uint32_t cut = part(begin, end, split);
    const int left = static_cast<int>(tree_.nodes.size());
    tree_.nodes.resize(tree_.nodes.size() + 2);
    Node& node = tree_.nodes[static_cast<std::size_t>(open.node)];
    node.feature = split.feature;
    node.threshold = split.threshold;
    const double gaps = gaps_of(open);
    node.gapless = gaps < kFewGaps;
    node.missing_left = gaps > 0 ? split.missing_left : cut - begin >= end - cut;
    node.gain = split.gain;
    node.left = left;
    node.right = left + 1;
    const bool left_smaller = cut - begin <= end - cut;
    const std::int64_t whole = open.total;
    const std::int64_t below = left_smaller ? total(begin, cut) : whole - total(cut, end);
    Histogram larger = std::move(open.histogram);
    Histogram smaller = left_smaller ? histogram(begin, cut) : histogram(cut, end);
    larger.subtract(smaller);
    const int a = add(left, begin, cut, below, left_smaller ? &smaller : &larger);
    const int b = add(left + 1, cut, end, whole - below, left_smaller ? &larger : &smaller);
    return {a, b};
  }

  // Partitions rows stably into those that go left and those that go right; returns the first place of the latter.
  std::uint32_t part(std::uint32_t begin, std::uint32_t end, const Split& split) {
    const std::uint8_t* codes = sample_.codes.data() + split.feature;
    const std::size_t width = sample_.width();
    std::array<std::uint8_t, 256> goes{};
    for (std::size_t c = 0; c < goes.size(); ++c) goes[c] = c == 0 ? split.missing_left : c <= split.threshold;
    std::size_t left = begin, right = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint32_t row = rows_[i];
      const std::uint8_t to_left = goes[codes[row * width]];
      rows_[left] = row;
      right_[right] = row;
      left += to_left;
      right += 1U - to_left;
    }
    std::copy_n(right_.begin(), right, rows_.begin() + static_cast<std::ptrdiff_t>(left));
    return static_cast<std::uint32_t>(left);
  }

  void number_leaves() {
    int number = 0;
    for (Node& node : tree_.nodes)
      if (node.feature < 0) node.leaf = number++;
    tree_.leaves = number;
  }

  const Sample& sample_;
  std::vector<std::uint32_t>& rows_;
  const Growth growth_;
  const std::span<const std::uint8_t> times_;
  const Packing packing_;
  std::vector<std::int64_t> totals_;  // by row, its packed value, or 1, times how often it counts
  Histogram spare_;
  std::vector<std::uint32_t> right_;
  std::vector<std::size_t> offsets_;  // by feature, the first of its bins in a histogram
  std::vector<OpenNode> open_;
  Tree tree_;
};

}  // namespace

Tree grown(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth,
           std::span<const std::uint8_t> times) {
  return Grower(sample, rows, growth, times).grow();
}

}  // namespace imputedb
