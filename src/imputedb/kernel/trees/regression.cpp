#include <algorithm>
#include <cmath>

#include "trees/model.hpp"
#include "trees/pruning.hpp"

namespace imputedb {
namespace {

constexpr int kMaxTrees = 3;
constexpr double kLeafPrior = 4;     // prior rows at 0, which a leaf's value is shrunk towards
constexpr double kNoise = 6;         // number of variances by which a split must lower the sum of squares
constexpr double kSmallGain = 0.01;  // share of the variance that a tree must gain for another one to be tried

// The mean reduction of the squared error of held-out rows, and its standard error.
struct Gain {
  double mean = 0, error = 0;
  bool real() const { return mean > error; }
};

class Regression {
 public:
  explicit Regression(const TrainingData& training_data) : lesson_(training_data) {}

  Model model() {
    Numbers known = numbers(lesson_);
    rows_ = std::move(known.rows);
    y_ = std::move(known.y);
    model_.mean = known.mean;
    model_.scale = known.scale;
    if (rows_.size() < kFewestRows || model_.scale <= 0) return std::move(model_);
    model_.features = predictors(lesson_, rows_, y_);
    if (model_.features.empty()) return std::move(model_);
    model_.order = gather(lesson_, model_.features, rows_, y_, sample_);
    sample_.y = y_;
    fit();
    return std::move(model_);
  }

 private:
  // Each step is judged by held-out rows, and is fitted again to all rows if it is kept.
  void fit() {
    parts_ = split(lesson_, rows_);
    now_.assign(rows_.size(), 0.0F);
    add_linear();
    for (int t = 0; t < kMaxTrees && !lesson_.stop; ++t)
      if (!add_tree()) break;
    double before = 0, after = 0;
    for (std::uint32_t i : parts_.hold) {
      before += static_cast<double>(y_[i]) * y_[i];
      after += static_cast<double>(y_[i] - now_[i]) * (y_[i] - now_[i]);
    }
    model_.error = before > 0 ? std::sqrt(after / before) : 1;
  }

  void add_linear() {
    std::vector<Regressor> regressors;
    for (int f : model_.features) {
      const Binned& column = lesson_.column(f);
      Table by_code = column.nominal ? level_means(column.codes.data(), column.bins(), rows_, y_) : column.centre;
      regressors.push_back({column.codes, standardised(std::move(by_code), column, rows_)});
    }
    const Fit fit = ridge(regressors, rows_, std::span(&y_, 1), parts_.grow, parts_.hold);
    if (!fit.solved()) return;
    std::vector<float> next(now_);
    for (std::size_t f = 0; f < regressors.size(); ++f) {
      Table by_code = regressors[f].z;
      for (float& value : by_code) value = static_cast<float>(value * fit.honest[0][f]);
      for (std::size_t i = 0; i < rows_.size(); ++i) next[i] += by_code[regressors[f].codes[rows_[i]]];
    }
    if (!gain(next).real()) return;
    now_ = std::move(next);
    for (std::size_t f = 0; f < regressors.size(); ++f) {
      for (float& value : regressors[f].z) value = static_cast<float>(value * fit.all[0][f]);
      model_.table.push_back(std::move(regressors[f].z));
    }
    model_.kind = Kind::linear;
  }

  // Tries another tree; true if a further one is worth trying.
  bool add_tree() {
    for (std::size_t i = 0; i < rows_.size(); ++i) sample_.y[i] = y_[i] - now_[i];
    double squares = 0;
    for (std::uint32_t i : parts_.grow) squares += static_cast<double>(sample_.y[i]) * sample_.y[i];
    const double noise = kNoise * squares / static_cast<double>(std::max<std::size_t>(parts_.grow.size(), 1));
    std::vector<std::uint32_t> order = parts_.grow;
    Tree tree = grown(sample_, order, {lesson_.settings.leaves, lesson_.settings.min_leaf, noise});
    std::vector<std::uint16_t> nodes = reached(tree, sample_, order, parts_.hold);
    prune(tree, losses(tree, nodes));
    if (tree.nodes[0].feature < 0) return false;
    const std::vector<std::uint16_t> leaves = leaves_of(tree, std::move(nodes));
    std::vector<float> values(static_cast<std::size_t>(tree.leaves));
    for (const Node& node : tree.nodes)
      if (node.leaf >= 0) values[static_cast<std::size_t>(node.leaf)] = node.value;
    std::vector<float> next(now_);
    for (std::size_t i = 0; i < rows_.size(); ++i) next[i] += values[leaves[i]];
    const Gain more = gain(next);
    if (!more.real()) return false;
    refit(tree, leaves);
    now_ = std::move(next);  // predictions without the held-out rows, by which further steps are judged
    model_.trees.push_back(std::move(tree));
    model_.kind = model_.table.empty() ? Kind::tree : Kind::linear_tree;
    return more.mean > kSmallGain;
  }

  // By node, the squared error of the held-out rows that pass it, from their count, sum and squares.
  std::vector<double> losses(const Tree& tree, const std::vector<std::uint16_t>& nodes) const {
    struct Moments {
      double rows = 0, sum = 0, squares = 0;
    };
    std::vector<Moments> of(tree.nodes.size());
    for (std::uint32_t i : parts_.hold) {
      const double y = sample_.y[i];
      Moments& here = of[nodes[i]];
      here = {here.rows + 1, here.sum + y, here.squares + y * y};
    }
    std::vector<double> out(tree.nodes.size());
    for (std::size_t place = tree.nodes.size(); place-- > 0;) {  // children come after their parents
      const Node& node = tree.nodes[place];
      Moments& here = of[place];
      for (const int child : {node.left, node.right}) {
        if (child < 0) continue;
        const Moments& below = of[static_cast<std::size_t>(child)];
        here = {here.rows + below.rows, here.sum + below.sum, here.squares + below.squares};
      }
      out[place] = here.squares - 2 * node.value * here.sum + node.value * node.value * here.rows;
    }
    return out;
  }

  // Refits leaf values to all rows, shrunk towards 0.
  void refit(Tree& tree, const std::vector<std::uint16_t>& leaves) const {
    std::vector<double> sum(static_cast<std::size_t>(tree.leaves)), count(sum.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      sum[leaves[i]] += sample_.y[i];
      ++count[leaves[i]];
    }
    for (Node& node : tree.nodes) {
      if (node.leaf < 0) continue;
      const auto leaf = static_cast<std::size_t>(node.leaf);
      node.value = static_cast<float>(sum[leaf] / (count[leaf] + kLeafPrior));
    }
  }

  Gain gain(const std::vector<float>& next) const {
    double sum = 0, squares = 0;
    for (std::uint32_t i : parts_.hold) {
      const double a = y_[i] - now_[i], b = y_[i] - next[i], d = a * a - b * b;
      sum += d;
      squares += d * d;
    }
    const double n = static_cast<double>(parts_.hold.size());
    if (n < 2) return {};
    const double variance = std::max(0.0, squares / n - (sum / n) * (sum / n));
    return {sum / n, std::sqrt(variance / n)};
  }

  const TrainingData& lesson_;
  std::vector<std::uint32_t> rows_;
  std::vector<float> y_, now_;
  Sample sample_;
  Split parts_;
  Model model_;
};

}  // namespace

Model regression(const TrainingData& training_data) { return Regression(training_data).model(); }

}  // namespace imputedb
