#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "linear.hpp"
#include "random.hpp"

namespace imputedb {
namespace {

constexpr std::size_t kScreened = 32;      // predictors kept when there are many more
constexpr std::size_t kScreenRows = 4096;  // rows they are ranked on
constexpr std::size_t kLinearRows = 20000;
constexpr int kMaxClasses = 32;
constexpr int kMaxTrees = 3;
constexpr double kLeafPrior = 4;  // rows of the parent's value that a leaf's value is shrunk by

enum Use : std::uint64_t { kSampling = 1, kHolding = 2, kBootstrap = 3 };

std::uint64_t key_of(const Lesson& lesson, std::size_t row) {
  return lesson.keys.empty() ? row : lesson.keys[row];
}

std::vector<std::uint32_t> training_rows(const Lesson& lesson) {
  const std::vector<std::uint8_t>& codes = lesson.columns[static_cast<std::size_t>(lesson.place)].codes;
  const std::uint32_t observed = lesson.columns[static_cast<std::size_t>(lesson.place)].observed;
  const double share = static_cast<double>(lesson.settings.train_rows) / std::max<std::uint32_t>(observed, 1);
  const Stream stream(lesson.settings.seed, lesson.settings.draw_number, 0, static_cast<std::uint64_t>(lesson.place),
                      kSampling);
  std::vector<std::uint32_t> rows;
  rows.reserve(static_cast<std::size_t>(std::min<double>(observed, 1.1 * lesson.settings.train_rows + 64)));
  for (std::size_t row = 0; row < codes.size(); ++row) {
    if (lesson.target.is_missing(row)) continue;
    if (share >= 1 || stream.uniform(key_of(lesson, row)) < share) rows.push_back(static_cast<std::uint32_t>(row));
  }
  return rows;
}

std::vector<int> predictors(const Lesson& lesson, const std::vector<std::uint32_t>& rows, const std::vector<float>& y) {
  std::vector<int> all;
  for (int f = 0; f < static_cast<int>(lesson.columns.size()); ++f) {
    const Binned& column = lesson.columns[static_cast<std::size_t>(f)];
    if (f != lesson.place && !column.key && (column.distinct > 1 || column.observed < column.codes.size()) &&
        column.distinct > 0)
      all.push_back(f);
  }
  if (all.size() <= kScreened + kScreened / 2) return all;
  const std::size_t step = std::max<std::size_t>(1, rows.size() / kScreenRows);
  std::vector<std::pair<double, int>> ranked;
  for (int f : all) {
    const Binned& column = lesson.columns[static_cast<std::size_t>(f)];
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (std::size_t i = 0; i < rows.size(); i += step) {
      const double x = column.centre[column.codes[rows[i]]];
      ++n, sx += x, sy += y[i], sxx += x * x, sxy += x * y[i];
    }
    const double variance = sxx - sx * sx / n;
    const double covariance = sxy - sx * sy / n;
    ranked.emplace_back(variance > 0 ? -covariance * covariance / variance : 0.0, f);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<int> best;
  for (std::size_t i = 0; i < kScreened; ++i) best.push_back(ranked[i].second);
  std::sort(best.begin(), best.end());
  return best;
}

// Categories have no order of their own: they take that of the target's mean.
std::vector<float> level_means(const Binned& column, const std::vector<std::uint32_t>& rows,
                               const std::vector<float>& y, double mean) {
  std::vector<double> sum(static_cast<std::size_t>(column.bins())), count(sum.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sum[column.codes[rows[i]]] += y[i];
    ++count[column.codes[rows[i]]];
  }
  std::vector<float> out(sum.size());
  for (std::size_t b = 0; b < sum.size(); ++b)
    out[b] = static_cast<float>((sum[b] + kLeafPrior * mean) / (count[b] + kLeafPrior));
  return out;
}

std::vector<std::uint8_t> ordering(const std::vector<float>& means) {
  std::vector<std::uint8_t> places(means.size() - 1);
  std::iota(places.begin(), places.end(), std::uint8_t{1});
  std::stable_sort(places.begin(), places.end(), [&](std::uint8_t a, std::uint8_t b) { return means[a] < means[b]; });
  std::vector<std::uint8_t> order(means.size());
  for (std::size_t rank = 0; rank < places.size(); ++rank) order[places[rank]] = static_cast<std::uint8_t>(rank + 1);
  return order;
}

struct Split {
  std::vector<std::uint32_t> grow, hold;  // places among the training rows
};

Split split(const Lesson& lesson, const std::vector<std::uint32_t>& rows) {
  const Stream stream(lesson.settings.seed, lesson.settings.draw_number, static_cast<std::uint64_t>(lesson.cycle),
                      static_cast<std::uint64_t>(lesson.place), kHolding);
  Split out;
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    (stream.uniform(key_of(lesson, rows[i])) < 0.25 ? out.hold : out.grow).push_back(i);
  return out;
}

// Whether what is held out is predicted better, by more than a standard error, and by how much of the squared error.
struct Gain {
  double mean = 0, error = 0;
  bool real() const { return mean > error; }
};

Gain gain_of(const std::vector<float>& y, const std::vector<float>& before, const std::vector<float>& after,
             const std::vector<std::uint32_t>& hold) {
  double sum = 0, squares = 0;
  for (std::uint32_t i : hold) {
    const double a = y[i] - before[i], b = y[i] - after[i];
    const double d = a * a - b * b;
    sum += d;
    squares += d * d;
  }
  const double n = static_cast<double>(hold.size());
  if (n < 2) return {};
  const double variance = std::max(0.0, squares / n - (sum / n) * (sum / n));
  return {sum / n, std::sqrt(variance / n)};
}

class Learner {
 public:
  explicit Learner(const Lesson& lesson) : lesson_(lesson), rows_(training_rows(lesson)) {}

  Model regression() {
    read_target();
    Model model;
    model.mean = mean_;
    if (rows_.size() < 20 || deviation_ <= 0) return model;
    model.features = predictors(lesson_, rows_, y_);
    if (model.features.empty()) return model;
    gather(model);
    return lesson_.settings.draw ? donor_tree(std::move(model)) : fitted(std::move(model));
  }

  Model classification() {
    read_classes();
    Model model;
    model.mean = mode_;
    model.classes = true;
    if (rows_.size() < 20 || sample_.classes < 2) return model;
    std::vector<float> common(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) common[i] = sample_.k[i] == mode_class_ ? 1.0F : 0.0F;
    y_ = common;
    mean_ = std::accumulate(y_.begin(), y_.end(), 0.0) / static_cast<double>(y_.size());
    model.features = predictors(lesson_, rows_, y_);
    if (model.features.empty()) return model;
    gather(model);
    return lesson_.settings.draw ? donor_tree(std::move(model)) : classified(std::move(model));
  }

 private:
  const Binned& target() const { return lesson_.columns[static_cast<std::size_t>(lesson_.place)]; }

  void read_target() {
    std::vector<double> values;
    values.reserve(rows_.size());
    double sum = 0;
    for (std::uint32_t row : rows_) {
      const double value = lesson_.target.at(row);
      if (!std::isfinite(value)) continue;
      rows_[values.size()] = row;
      values.push_back(value);
      sum += value - target().mean;
    }
    rows_.resize(values.size());
    const auto n = static_cast<double>(std::max<std::size_t>(values.size(), 1));
    mean_ = target().mean + sum / n;
    double squares = 0;
    for (double value : values) squares += (value - mean_) * (value - mean_);
    deviation_ = std::sqrt(squares / n);
    if (!std::isfinite(deviation_)) deviation_ = 0;
    y_.reserve(values.size());
    for (double value : values) y_.push_back(deviation_ > 0 ? static_cast<float>((value - mean_) / deviation_) : 0.0F);
  }

  void read_classes() {
    const int bins = target().bins() - 1;
    sample_.classes = std::min(bins, kMaxClasses);
    std::vector<std::uint32_t> counts(static_cast<std::size_t>(std::max(bins, 1)));
    sample_.k.reserve(rows_.size());
    for (std::uint32_t row : rows_) {
      const int code = target().codes[row] - 1;
      ++counts[static_cast<std::size_t>(code)];
      sample_.k.push_back(static_cast<std::uint8_t>(std::min(code, sample_.classes - 1)));
    }
    mode_class_ = static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    mode_ = bins > 0 ? static_cast<double>(target().levels[static_cast<std::size_t>(
                           std::min<int>(mode_class_, static_cast<int>(target().levels.size()) - 1))])
                     : 0;
  }

  void gather(Model& model) {
    features_ = model.features;
    for (int f : model.features) {
      const Binned& column = lesson_.columns[static_cast<std::size_t>(f)];
      model.order.emplace_back();
      if (column.nominal) model.order.back() = ordering(level_means(column, rows_, y_, 0));
      std::vector<std::uint8_t> codes(rows_.size());
      for (std::size_t i = 0; i < rows_.size(); ++i) codes[i] = column.codes[rows_[i]];
      if (column.nominal)
        for (std::uint8_t& code : codes) code = model.order.back()[code];
      sample_.codes.push_back(std::move(codes));
      sample_.bins.push_back(column.bins());
    }
  }

  // Linear, then trees on what it leaves, each kept only if what is held out says so; all refitted on every row.
  Model fitted(Model model) {
    const Split parts = split(lesson_, rows_);
    std::vector<float> none(rows_.size(), 0.0F), now(rows_.size(), 0.0F);
    const std::vector<float> linear = fit_linear(model, parts);
    if (!linear.empty()) {
      if (gain_of(y_, none, linear, parts.hold).real()) {
        now = linear;
        model.kind = Kind::linear;
      } else {
        model.table.clear();
      }
    }
    sample_.y.resize(rows_.size());
    for (int t = 0; t < kMaxTrees && !lesson_.stop; ++t)
      if (!add_tree(model, parts, now)) break;
    double before = 0, after = 0;
    for (std::uint32_t i : parts.hold) {
      before += static_cast<double>(y_[i]) * y_[i];
      after += static_cast<double>(y_[i] - now[i]) * (y_[i] - now[i]);
    }
    model.error = before > 0 ? std::sqrt(after / before) : 1;
    rescale(model);
    return model;
  }

  bool add_tree(Model& model, const Split& parts, std::vector<float>& now) {
    for (std::size_t i = 0; i < rows_.size(); ++i) sample_.y[i] = y_[i] - now[i];
    double squares = 0;
    for (std::uint32_t i : parts.grow) squares += static_cast<double>(sample_.y[i]) * sample_.y[i];
    Growth growth{lesson_.settings.leaves, lesson_.settings.min_leaf, 0};
    growth.min_gain = 6 * squares / static_cast<double>(std::max<std::size_t>(parts.grow.size(), 1));
    std::vector<std::uint32_t> order = parts.grow;
    Tree tree = grown(sample_, order, growth);
    prune(tree, parts.hold);
    if (tree.nodes[0].feature < 0) return false;
    std::vector<float> next(now);
    for (std::size_t i = 0; i < rows_.size(); ++i) next[i] += leaf_in_sample(tree, i).value;
    const Gain gain = gain_of(y_, now, next, parts.hold);
    if (!gain.real()) return false;
    refit(tree);
    now = std::move(next);  // the honest predictions, not the refitted ones: further steps are judged by them
    model.trees.push_back(std::move(tree));
    model.kind = model.table.empty() ? Kind::tree : Kind::linear_tree;
    return gain.mean > 0.01;
  }

  const Node& leaf_in_sample(const Tree& tree, std::size_t i) const {
    return tree.leaf([&](int f) { return sample_.codes[static_cast<std::size_t>(f)][i]; });
  }

  // Reduced-error pruning (Quinlan 1987), as REPTree does: a subtree that does no better on held-out rows is cut.
  void prune(Tree& tree, const std::vector<std::uint32_t>& hold) const {
    std::vector<double> as_leaf(tree.nodes.size()), as_tree(tree.nodes.size());
    for (std::uint32_t i : hold) {
      std::size_t node = 0;
      while (true) {
        as_leaf[node] += loss(tree.nodes[node], i);
        if (tree.nodes[node].feature < 0) break;
        node = static_cast<std::size_t>(child(tree.nodes[node], i));
      }
    }
    for (std::size_t node = tree.nodes.size(); node-- > 0;) {
      Node& here = tree.nodes[node];
      if (here.feature < 0) {
        as_tree[node] = as_leaf[node];
        continue;
      }
      as_tree[node] = as_tree[static_cast<std::size_t>(here.left)] + as_tree[static_cast<std::size_t>(here.right)];
      if (as_leaf[node] <= as_tree[node]) {
        here.feature = -1;
        as_tree[node] = as_leaf[node];
      }
    }
    int number = 0;
    for (Node& node : tree.nodes) node.leaf = node.feature < 0 ? number++ : -1;
    tree.leaves = number;
  }

  double loss(const Node& node, std::uint32_t i) const {
    if (sample_.classes) return static_cast<float>(sample_.k[i]) == node.value ? 0.0 : 1.0;
    const double d = sample_.y[i] - node.value;
    return d * d;
  }

  int child(const Node& node, std::uint32_t i) const {
    const std::uint8_t code = sample_.codes[static_cast<std::size_t>(node.feature)][i];
    return (code == 0 ? node.missing_left : code <= node.threshold) ? node.left : node.right;
  }

  // Leaf values from every row, shrunk towards no correction at all.
  void refit(Tree& tree) const {
    std::vector<double> sum(static_cast<std::size_t>(tree.leaves)), count(sum.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const auto leaf = static_cast<std::size_t>(leaf_in_sample(tree, i).leaf);
      sum[leaf] += sample_.y[i];
      ++count[leaf];
    }
    for (Node& node : tree.nodes)
      if (node.feature < 0) {
        const auto leaf = static_cast<std::size_t>(node.leaf);
        node.value = static_cast<float>(sum[leaf] / (count[leaf] + kLeafPrior));
      }
  }

  // Ridge on the bins' centres; returns predictions of the training rows, those held out unseen by their fit.
  std::vector<float> fit_linear(Model& model, const Split& parts) {
    const std::size_t p = model.features.size();
    std::vector<std::vector<float>> z = standardised(model);
    CrossProducts grow(p), hold(p);
    accumulate(z, parts.grow, grow);
    accumulate(z, parts.hold, hold);
    const double ridge = 1e-3 * static_cast<double>(rows_.size()) + 1;
    const std::vector<double> honest = grow.solve(ridge);
    grow.add(hold);
    const std::vector<double> all = grow.solve(ridge);
    if (honest.empty() || all.empty()) return {};
    model.table = z;
    for (std::size_t f = 0; f < p; ++f)
      for (float& value : model.table[f]) value = static_cast<float>(value * all[f]);
    std::vector<float> out(rows_.size(), 0.0F);
    for (std::size_t f = 0; f < p; ++f) {
      std::vector<float> by_code(z[f]);
      for (float& value : by_code) value = static_cast<float>(value * honest[f]);
      const std::vector<std::uint8_t>& codes = lesson_.columns[static_cast<std::size_t>(model.features[f])].codes;
      for (std::size_t i = 0; i < rows_.size(); ++i) out[i] += by_code[codes[rows_[i]]];
    }
    return out;
  }

  // Per feature and code a standardised number: the bin's centre, or of categories the mean of the target.
  std::vector<std::vector<float>> standardised(const Model& model) const {
    std::vector<std::vector<float>> out;
    for (int f : model.features) {
      const Binned& column = lesson_.columns[static_cast<std::size_t>(f)];
      std::vector<float> z = column.nominal ? level_means(column, rows_, y_, 0) : column.centre;
      double n = 0, sum = 0, squares = 0;
      std::vector<std::uint32_t> count(z.size());
      for (std::uint32_t row : rows_) ++count[column.codes[row]];
      for (std::size_t b = 1; b < z.size(); ++b) n += count[b], sum += static_cast<double>(count[b]) * z[b];
      const double mean = n > 0 ? sum / n : 0;
      for (std::size_t b = 1; b < z.size(); ++b) squares += count[b] * (z[b] - mean) * (z[b] - mean);
      const double sd = n > 0 ? std::sqrt(squares / n) : 0;
      for (float& value : z) value = sd > 0 ? static_cast<float>((value - mean) / sd) : 0.0F;
      z[0] = 0;
      out.push_back(std::move(z));
    }
    return out;
  }

  void accumulate(const std::vector<std::vector<float>>& z, const std::vector<std::uint32_t>& places,
                  CrossProducts& out) const {
    const std::size_t width = z.size() + 1;
    const std::size_t limit = std::min(places.size(), kLinearRows);
    constexpr std::size_t kBlock = 256;
    std::vector<float> block(kBlock * width);
    for (std::size_t begin = 0; begin < limit; begin += kBlock) {
      const std::size_t rows = std::min(kBlock, limit - begin);
      for (std::size_t f = 0; f < z.size(); ++f) {
        const float* by_code = z[f].data();
        const std::uint8_t* codes = lesson_.columns[static_cast<std::size_t>(features_[f])].codes.data();
        for (std::size_t r = 0; r < rows; ++r) block[r * width + f] = by_code[codes[rows_[places[begin + r]]]];
      }
      for (std::size_t r = 0; r < rows; ++r) block[r * width + z.size()] = y_[places[begin + r]];
      out.add(block.data(), rows);
    }
  }

  // Back from standard deviations to the target's own units.
  void rescale(Model& model) const {
    for (std::vector<float>& table : model.table)
      for (float& value : table) value = static_cast<float>(value * deviation_);
    for (Tree& tree : model.trees)
      for (Node& node : tree.nodes) node.value = static_cast<float>(node.value * deviation_);
  }

  Model classified(Model model) {
    const Split parts = split(lesson_, rows_);
    Growth growth{lesson_.settings.leaves, lesson_.settings.min_leaf, 2};
    std::vector<std::uint32_t> order = parts.grow;
    Tree tree = grown(sample_, order, growth);
    prune(tree, parts.hold);
    if (tree.nodes[0].feature < 0) return model;
    double right = 0, common = 0, differ = 0;
    for (std::uint32_t i : parts.hold) {
      const bool a = static_cast<float>(sample_.k[i]) == leaf_in_sample(tree, i).value;
      const bool b = sample_.k[i] == mode_class_;
      right += a, common += b, differ += a != b;
    }
    if (right - common <= std::sqrt(differ)) return model;
    const double n = static_cast<double>(parts.hold.size());
    model.error = common < n ? (n - right) / (n - common) : 1;
    for (Node& node : tree.nodes) node.value = static_cast<float>(target().levels[static_cast<std::size_t>(node.value)]);
    model.trees.push_back(std::move(tree));
    model.kind = Kind::tree;
    return model;
  }

  // A tree on a bootstrap of the rows, with the observed rows of each leaf as donors: proper in Rubin's sense as far as
  // the tree is (Burgette & Reiter 2010; approximate Bayesian bootstrap within leaves).
  Model donor_tree(Model model) {
    const Stream stream(lesson_.settings.seed, lesson_.settings.draw_number, static_cast<std::uint64_t>(lesson_.cycle),
                        static_cast<std::uint64_t>(lesson_.place), kBootstrap);
    std::vector<std::uint32_t> picked;
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
      const int times = poisson_one(stream.uniform(key_of(lesson_, rows_[i])));
      for (int t = 0; t < times; ++t) picked.push_back(i);
    }
    if (picked.empty()) return model;
    if (!sample_.classes) sample_.y = y_;
    Growth growth{lesson_.settings.leaves, std::min(lesson_.settings.min_leaf, 5), sample_.classes ? 1.0 : 3.0};
    std::vector<std::uint32_t> order = picked;
    Tree tree = grown(sample_, order, growth);
    model.donors.resize(static_cast<std::size_t>(tree.leaves));
    for (std::uint32_t i : picked)
      model.donors[static_cast<std::size_t>(leaf_in_sample(tree, i).leaf)].push_back(rows_[i]);
    model.trees.push_back(std::move(tree));
    model.kind = Kind::tree;
    return model;
  }

  const Lesson& lesson_;
  std::vector<std::uint32_t> rows_;
  std::vector<int> features_;
  std::vector<float> y_;
  Sample sample_;
  double mean_ = 0, deviation_ = 0, mode_ = 0;
  int mode_class_ = 0;
};

}  // namespace

const Node& Model::leaf(const Tree& tree, const std::vector<Binned>& columns, std::size_t row) const {
  return tree.leaf([&](int f) {
    const auto place = static_cast<std::size_t>(f);
    const std::uint8_t code = columns[static_cast<std::size_t>(features[place])].codes[row];
    return order[place].empty() ? code : order[place][code];
  });
}

double Model::predict(const std::vector<Binned>& columns, std::size_t row) const {
  if (classes && !trees.empty()) return leaf(trees[0], columns, row).value;
  double value = mean;
  for (std::size_t f = 0; f < table.size(); ++f)
    value += table[f][columns[static_cast<std::size_t>(features[f])].codes[row]];
  for (const Tree& tree : trees) value += leaf(tree, columns, row).value;
  return value;
}

Model learnt(const Lesson& lesson) {
  Learner learner(lesson);
  return lesson.target.nominal ? learner.classification() : learner.regression();
}

}  // namespace imputedb
