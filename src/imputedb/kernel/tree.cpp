#include "tree.hpp"

#include <algorithm>
#include <array>
#include <queue>

namespace imputedb {
namespace {

// Per feature and bin: rows and sums of y, or rows a class.
struct Histogram {
  std::vector<double> sum;
  std::vector<std::uint32_t> count;

  void subtract(const Histogram& other) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] -= other.sum[i];
    for (std::size_t i = 0; i < count.size(); ++i) count[i] -= other.count[i];
  }
};

struct Split {
  double gain = 0;
  int feature = -1;
  std::uint8_t threshold = 0;
  bool missing_left = true;
};

struct Open {
  int node;
  std::uint32_t begin, end;
  Histogram histogram;
  Split split;
};

class Grower {
 public:
  Grower(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth)
      : sample_(sample), rows_(rows), growth_(growth), buffer_(rows.size()), right_(rows.size()) {
    offsets_.push_back(0);
    for (int bins : sample.bins) offsets_.push_back(offsets_.back() + static_cast<std::size_t>(bins));
  }

  Tree grow() {
    tree_.nodes.emplace_back();
    add(0, 0, static_cast<std::uint32_t>(rows_.size()), nullptr);
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
  std::size_t width() const { return classes() ? static_cast<std::size_t>(classes()) : 1; }

  Histogram histogram(std::uint32_t begin, std::uint32_t end) {
    Histogram h;
    h.count.assign(offsets_.back() * width(), 0);
    if (!classes()) h.sum.assign(offsets_.back(), 0);
    const std::size_t n = end - begin;
    const std::uint32_t* rows = rows_.data() + begin;
    if (!classes())
      for (std::size_t i = 0; i < n; ++i) buffer_[i] = sample_.y[rows[i]];
    for (std::size_t f = 0; f < sample_.codes.size(); ++f) {
      const std::uint8_t* codes = sample_.codes[f].data();
      std::uint32_t* count = h.count.data() + offsets_[f] * width();
      if (classes()) {
        for (std::size_t i = 0; i < n; ++i) ++count[codes[rows[i]] * width() + sample_.k[rows[i]]];
      } else {
        double* sum = h.sum.data() + offsets_[f];
        for (std::size_t i = 0; i < n; ++i) {
          const std::uint8_t c = codes[rows[i]];
          sum[c] += buffer_[i];
          ++count[c];
        }
      }
    }
    return h;
  }

  int add(int node, std::uint32_t begin, std::uint32_t end, Histogram* ready) {
    Open open{node, begin, end, ready ? std::move(*ready) : Histogram{}, {}};
    const bool splits = end - begin >= 2 * static_cast<std::uint32_t>(growth_.min_leaf);
    if (!ready && splits) open.histogram = histogram(begin, end);
    summarise(tree_.nodes[node], begin, end);
    if (splits) open.split = classes() ? best_class_split(open) : best_split(open);
    open_.push_back(std::move(open));
    return static_cast<int>(open_.size()) - 1;
  }

  void summarise(Node& node, std::uint32_t begin, std::uint32_t end) {
    node.rows = end - begin;
    if (classes()) {
      std::vector<std::uint32_t> counts(width());
      for (std::uint32_t i = begin; i < end; ++i) ++counts[sample_.k[rows_[i]]];
      node.value = static_cast<float>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    } else {
      double sum = 0;
      for (std::uint32_t i = begin; i < end; ++i) sum += sample_.y[rows_[i]];
      node.value = node.rows ? static_cast<float>(sum / node.rows) : 0.0F;
    }
  }

  Split best_split(const Open& open) const {
    Split best;
    best.gain = growth_.min_gain;
    const double n = open.end - open.begin;
    for (std::size_t f = 0; f < sample_.codes.size(); ++f) {
      const double* sum = open.histogram.sum.data() + offsets_[f];
      const std::uint32_t* count = open.histogram.count.data() + offsets_[f];
      const int bins = sample_.bins[f];
      double total = 0;
      for (int b = 0; b < bins; ++b) total += sum[b];
      const double parent = total * total / n;
      double left = 0, rows = 0;
      for (int b = 0; b + 1 < bins; ++b) {
        if (count[b] == 0) continue;
        left += sum[b];
        rows += count[b];
        consider(best, f, b, true, left, rows, total, n, parent);
        if (b > 0 && count[0] > 0) consider(best, f, b, false, left - sum[0], rows - count[0], total, n, parent);
      }
      if (count[0] > 0) consider(best, f, 255, false, total - sum[0], n - count[0], total, n, parent);
    }
    return best;
  }

  void consider(Split& best, std::size_t f, int b, bool missing_left, double left, double rows, double total, double n,
                double parent) const {
    const double others = n - rows;
    if (rows < growth_.min_leaf || others < growth_.min_leaf) return;
    const double right = total - left;
    const double gain = left * left / rows + right * right / others - parent;
    if (gain > best.gain * (1 + 1e-12) && gain > 1e-12 * (parent + 1e-300))
      best = {gain, static_cast<int>(f), static_cast<std::uint8_t>(b), missing_left};
  }

  // Gini: the gain is the rise of sum over children of (sum over classes of count^2) / rows.
  Split best_class_split(const Open& open) const {
    Split best;
    best.gain = growth_.min_gain;
    const std::size_t w = width();
    const double n = open.end - open.begin;
    std::vector<double> total(w), left(w);
    for (std::size_t f = 0; f < sample_.codes.size(); ++f) {
      const std::uint32_t* count = open.histogram.count.data() + offsets_[f] * w;
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

  std::pair<int, int> divide(int place) {
    Open& open = open_[place];
    const Split split = open.split;
    const std::uint32_t begin = open.begin, end = open.end;
    const std::uint32_t cut = part(begin, end, split);
    const int left = static_cast<int>(tree_.nodes.size());
    tree_.nodes.resize(tree_.nodes.size() + 2);
    Node& node = tree_.nodes[static_cast<std::size_t>(open.node)];
    node.feature = split.feature;
    node.threshold = split.threshold;
    node.missing_left = split.missing_left;
    node.gain = split.gain;
    node.left = left;
    node.right = left + 1;
    const bool left_smaller = cut - begin <= end - cut;
    Histogram larger = std::move(open.histogram);
    Histogram smaller = left_smaller ? histogram(begin, cut) : histogram(cut, end);
    larger.subtract(smaller);
    const int a = add(left, begin, cut, left_smaller ? &smaller : &larger);
    const int b = add(left + 1, cut, end, left_smaller ? &larger : &smaller);
    return {a, b};
  }

  // Rows that go left, then those that go right, each in the order they were in; where the right begins.
  std::uint32_t part(std::uint32_t begin, std::uint32_t end, const Split& split) {
    const std::uint8_t* codes = sample_.codes[static_cast<std::size_t>(split.feature)].data();
    std::array<std::uint8_t, 256> goes{};
    for (std::size_t c = 0; c < goes.size(); ++c) goes[c] = c == 0 ? split.missing_left : c <= split.threshold;
    std::size_t left = begin, right = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const std::uint32_t row = rows_[i];
      const std::uint8_t to_left = goes[codes[row]];
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
  std::vector<float> buffer_;
  std::vector<std::uint32_t> right_;
  std::vector<std::size_t> offsets_;
  std::vector<Open> open_;
  Tree tree_;
};

}  // namespace

Tree grown(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth) {
  return Grower(sample, rows, growth).grow();
}

}  // namespace imputedb
