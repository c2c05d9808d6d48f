#include <algorithm>
#include <array>
#include <cmath>

#include "trees/model.hpp"
#include "trees/pruning.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kViews = 3;  // frequent classes whose shares encode a nominal predictor in the linear scores
constexpr double kPrior = 2;       // prior rows with the overall shares, which a node's shares are shrunk towards
constexpr double kNoise = 2;       // rows by which a split must raise the sum of squared shares

class Classification {
 public:
  explicit Classification(const TrainingData& training_data)
      : lesson_(training_data), target_(training_data.column(training_data.place)) {}

  Model model() {
    read_classes();
    if (rows_.size() < kFewestRows || classes() < 2) return std::move(model_);
    model_.features = predictors(lesson_, rows_, y_[0]);
    if (model_.features.empty()) return std::move(model_);
    model_.order = gather(lesson_, model_.features, rows_, y_[0], sample_);
    fit();
    return std::move(model_);
  }

 private:
  std::size_t classes() const { return static_cast<std::size_t>(sample_.classes); }

  void read_classes() {
    Classes known = imputedb::classes(lesson_);
    if (!target_.levels.empty()) model_.mode = target_.levels[0];
    sample_.classes = known.count();
    for (std::size_t c = 0; c < classes(); ++c) y_.push_back(known.indicator(c));
    rows_ = std::move(known.rows);
    shares_ = std::move(known.shares);
    sample_.k = std::move(known.k);
  }

  void fit() {
    const Split parts = split(lesson_, rows_);
    Tree tree = pruned_tree(parts);
    const std::vector<std::uint16_t> leaves = leaves_of(tree, sample_);
    const auto [honest, all] = linear_scores(parts);
    const Table by_leaf = leaf_scores(tree, leaves, parts.grow);
    const bool grown = tree.nodes[0].feature >= 0;
    const std::array<bool, 2> candidates = choose(parts.hold, honest, grown ? by_leaf : Table{}, leaves);
    const auto [with_linear, with_tree] = candidates;
    if (!with_linear && !with_tree) return;
    const std::size_t named = std::min(classes(), target_.levels.size()) - (target_.bins() - 1 > kMaxClasses ? 1 : 0);
    model_.scores.levels.assign(target_.levels.begin(), target_.levels.begin() + static_cast<std::ptrdiff_t>(named));
    model_.scores.base.assign(shares_.begin(), shares_.end());
    if (with_linear) model_.scores.features = all;
    if (with_tree) {
      std::vector<std::uint32_t> every(rows_.size());
      for (std::uint32_t i = 0; i < every.size(); ++i) every[i] = i;
      model_.scores.leaves = leaf_scores(tree, leaves, every);
      model_.trees.push_back(std::move(tree));
    }
    model_.kind = with_linear ? (with_tree ? Kind::linear_tree : Kind::linear) : Kind::tree;
  }

  // A tree pruned by the squared error of its shares (Brier 1950), which is less noisy than the number of errors.
  Tree pruned_tree(const Split& parts) const {
    std::vector<std::uint32_t> order = parts.grow;
    Tree tree = grown(sample_, order, {lesson_.settings.leaves, lesson_.settings.min_leaf, kNoise});
    const std::size_t k = classes();
    std::vector<double> share(tree.nodes.size() * k), squares(tree.nodes.size()), loss(tree.nodes.size());
    for (std::uint32_t i : parts.grow)
      descend(tree, sample_, i, [&](std::size_t node, std::uint32_t row) { ++share[node * k + sample_.k[row]]; });
    for (std::size_t node = 0; node < tree.nodes.size(); ++node)
      for (std::size_t c = 0; c < k; ++c) {
        double& here = share[node * k + c];
        here = (here + kPrior * shares_[c]) / (tree.nodes[node].rows + kPrior);
        squares[node] += here * here;
      }
    for (std::uint32_t i : parts.hold)
      descend(tree, sample_, i, [&](std::size_t node, std::uint32_t row) {
        loss[node] += squares[node] - 2 * share[node * k + sample_.k[row]];
      });
    prune(tree, loss);
    return tree;
  }

  // By leaf and class, the share of the class among the given rows, less its overall share.
  Table leaf_scores(const Tree& tree, const std::vector<std::uint16_t>& leaves,
                    const std::vector<std::uint32_t>& places) const {
    const std::size_t k = classes();
    std::vector<double> count(static_cast<std::size_t>(tree.leaves) * k), rows(static_cast<std::size_t>(tree.leaves));
    for (std::uint32_t i : places) {
      ++count[leaves[i] * k + sample_.k[i]];
      ++rows[leaves[i]];
    }
    Table out(count.size());
    for (std::size_t leaf = 0; leaf < rows.size(); ++leaf)
      for (std::size_t c = 0; c < k; ++c)
        out[leaf * k + c] =
            static_cast<float>((count[leaf * k + c] + kPrior * shares_[c]) / (rows[leaf] + kPrior) - shares_[c]);
    return out;
  }

  // By feature, scores by code and class: those of the fit without the held-out rows, and those of the fit to all rows.
  std::pair<std::vector<Table>, std::vector<Table>> linear_scores(const Split& parts) const {
    std::vector<Regressor> regressors;
    std::vector<std::size_t> owner;
    for (std::size_t f = 0; f < model_.features.size(); ++f) {
      const Binned& column = lesson_.column(model_.features[f]);
      const std::size_t views = column.nominal ? std::min<std::size_t>({kViews, classes() - 1, column.distinct}) : 1;
      for (std::size_t c = 0; c < views; ++c) {
        Table by_code = column.nominal ? level_means(column.codes.data(), column.bins(), rows_, y_[c]) : column.centre;
        regressors.push_back({column.codes, standardised(std::move(by_code), column, rows_)});
        owner.push_back(f);
      }
    }
    const Fit fit = ridge(regressors, rows_, y_, parts.grow, parts.hold);
    if (!fit.solved()) return {};
    return {tables(regressors, owner, fit.honest), tables(regressors, owner, fit.all)};
  }

  std::vector<Table> tables(const std::vector<Regressor>& regressors, const std::vector<std::size_t>& owner,
                            const std::vector<std::vector<double>>& coefficients) const {
    const std::size_t k = classes();
    std::vector<Table> out(model_.features.size());
    for (std::size_t r = 0; r < regressors.size(); ++r) {
      const Table& z = regressors[r].z;
      Table& table = out[owner[r]];
      table.resize(z.size() * k);
      for (std::size_t code = 0; code < z.size(); ++code)
        for (std::size_t c = 0; c < k; ++c) table[code * k + c] += static_cast<float>(z[code] * coefficients[c][r]);
    }
    return out;
  }

  // Whether to use linear scores, and whether to use the tree: none, both or one of them, of which each must beat those
  // before it in the number of correct rows by more than a standard error.
  std::array<bool, 2> choose(const std::vector<std::uint32_t>& hold, const std::vector<Table>& linear,
                             const Table& by_leaf, const std::vector<std::uint16_t>& leaves) {
    constexpr std::array<std::array<bool, 2>, 3> kWays{{{true, true}, {true, false}, {false, true}}};
    const bool has_linear = !linear.empty(), has_tree = !by_leaf.empty();
    const std::vector<bool> mode = right(hold, {}, {}, leaves);
    std::array<bool, 2> chosen{false, false};
    std::vector<bool> best = mode;
    for (const auto& way : kWays) {
      if ((way[0] && !has_linear) || (way[1] && !has_tree)) continue;
      std::vector<bool> now = right(hold, way[0] ? linear : std::vector<Table>{}, way[1] ? by_leaf : Table{}, leaves);
      if (!better(now, best)) continue;
      best = std::move(now);
      chosen = way;
    }
    const auto wrong = [](const std::vector<bool>& of) { return std::count(of.begin(), of.end(), false); };
    if (wrong(mode) > 0) model_.error = static_cast<double>(wrong(best)) / static_cast<double>(wrong(mode));
    return chosen;
  }

  static bool better(const std::vector<bool>& now, const std::vector<bool>& before) {
    double gained = 0, differ = 0;
    for (std::size_t i = 0; i < now.size(); ++i) {
      gained += static_cast<double>(now[i]) - static_cast<double>(before[i]);
      differ += now[i] != before[i];
    }
    return gained > std::sqrt(differ);
  }

  std::vector<bool> right(const std::vector<std::uint32_t>& hold, const std::vector<Table>& linear,
                          const Table& by_leaf, const std::vector<std::uint16_t>& leaves) const {
    const std::size_t k = classes();
    std::vector<bool> out;
    std::vector<float> sum(k);
    for (std::uint32_t i : hold) {
      for (std::size_t c = 0; c < k; ++c) sum[c] = static_cast<float>(shares_[c]);
      for (std::size_t f = 0; f < linear.size(); ++f) {
        const std::size_t code = lesson_.column(model_.features[f]).codes[rows_[i]];
        for (std::size_t c = 0; c < k; ++c) sum[c] += linear[f][code * k + c];
      }
      for (std::size_t c = 0; !by_leaf.empty() && c < k; ++c) sum[c] += by_leaf[leaves[i] * k + c];
      out.push_back(std::max_element(sum.begin(), sum.end()) - sum.begin() == sample_.k[i]);
    }
    return out;
  }

  const TrainingData& lesson_;
  const Binned& target_;
  std::vector<std::uint32_t> rows_;
  std::vector<double> shares_;
  std::vector<std::vector<float>> y_;  // by class, 1 or 0, less the class's share
  Sample sample_;
  Model model_;
};

}  // namespace

Model classification(const TrainingData& training_data) { return Classification(training_data).model(); }

}  // namespace imputedb
