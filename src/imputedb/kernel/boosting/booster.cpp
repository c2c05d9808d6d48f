#include "boosting/booster.hpp"

#include <algorithm>
#include <cmath>

#include "boosting/growth.hpp"

namespace imputedb {
namespace {

double logistic(double score) { return 1 / (1 + std::exp(-score)); }

class Boosting {
 public:
  Boosting(const Examples& examples, const BoostingSettings& settings)
      : given_(examples), settings_(settings), n_(examples.y.size()), data_(coded(examples)) {
    for (std::size_t i = 0; i < n_; ++i) {
      if (given_.weight[i] > 0) rows_.push_back(static_cast<std::uint32_t>(i));
      if (given_.held[i]) held_.push_back(i);
    }
    const auto classes = static_cast<std::size_t>(settings_.classes);
    gradients_.resize(n_ * classes), curvatures_.resize(n_ * classes);
    found_.forests.resize(classes);
  }

  Boosted run(const std::function<bool(double)>& progress) {
    std::vector<double> best(given_.scores.begin(), given_.scores.end());
    int best_round = 0;
    double least = loss();
    if (!held_.empty()) found_.losses.push_back(least);
    for (int round = 1; round <= settings_.rounds && !rows_.empty(); ++round) {
      add_round();
      if (progress(static_cast<double>(round) / settings_.rounds)) {
        found_.finished = false;
        return std::move(found_);
      }
      if (held_.empty()) continue;
      found_.losses.push_back(loss());
      if (found_.losses.back() < least) {
        least = found_.losses.back(), best_round = round;
        best.assign(given_.scores.begin(), given_.scores.end());
      } else if (round - best_round >= settings_.patience) {
        break;
      }
    }
    if (!held_.empty()) take_back(static_cast<std::size_t>(best_round), best);
    return std::move(found_);
  }

 private:
  void take_back(std::size_t rounds, const std::vector<double>& best) {
    std::copy(best.begin(), best.end(), given_.scores.begin());
    for (Forest& forest : found_.forests) {
      if (forest.roots.size() <= rounds) continue;
      forest.nodes.resize(static_cast<std::size_t>(forest.roots[rounds]));
      forest.roots.resize(rounds);
    }
  }

  std::span<double> scores(std::size_t k) const { return given_.scores.subspan(k * n_, n_); }

  void add_round() {
    const auto classes = static_cast<std::size_t>(settings_.classes);
    slopes();
    for (std::size_t k = 0; k < classes; ++k) {
      Forest& forest = found_.forests[k];
      grow(data_, settings_, {gradients_.data() + k * n_, n_}, {curvatures_.data() + k * n_, n_}, rows_, forest,
           scores(k));
      for (const std::size_t i : held_) scores(k)[i] += value(forest, i);
    }
  }

  // The value of the last tree for a row.
  double value(const Forest& forest, std::size_t row) const {
    const Split* node = &forest.nodes[static_cast<std::size_t>(forest.roots.back())];
    while (node->feature >= 0) {
      const double x = given_.x[static_cast<std::size_t>(node->feature) * n_ + row];
      node = &forest.nodes[static_cast<std::size_t>(forest.next(*node, x))];
    }
    return node->threshold;
  }

  void slopes() {
    const auto classes = static_cast<std::size_t>(settings_.classes);
    std::vector<double> chances(classes);
    for (const std::uint32_t i : rows_) {
      const double weight = given_.weight[i], y = given_.y[i];
      if (settings_.loss == Loss::squared) {
        gradients_[i] = weight * (given_.scores[i] - y), curvatures_[i] = weight;
      } else if (settings_.loss == Loss::logistic) {
        const double chance = logistic(given_.scores[i]);
        gradients_[i] = weight * (chance - y), curvatures_[i] = weight * std::max(chance * (1 - chance), 1e-16);
      } else {
        shares(i, chances);
        const double many = static_cast<double>(classes) / static_cast<double>(classes - 1);
        for (std::size_t k = 0; k < classes; ++k) {
          const double chance = chances[k], is = static_cast<double>(k) == y ? 1 : 0;
          gradients_[k * n_ + i] = weight * (chance - is);
          curvatures_[k * n_ + i] = weight * std::max(many * chance * (1 - chance), 1e-16);
        }
      }
    }
  }

  void shares(std::size_t row, std::vector<double>& chances) const {
    double most = scores(0)[row], sum = 0;
    for (std::size_t k = 1; k < chances.size(); ++k) most = std::max(most, scores(k)[row]);
    for (std::size_t k = 0; k < chances.size(); ++k) sum += chances[k] = std::exp(scores(k)[row] - most);
    for (double& chance : chances) chance /= sum;
  }

  // Mean loss of the held-out rows: squared errors, or negative log-likelihoods.
  double loss() const {
    double sum = 0;
    std::vector<double> chances(static_cast<std::size_t>(settings_.classes));
    for (const std::size_t i : held_) {
      const double y = given_.y[i], score = given_.scores[i];
      if (settings_.loss == Loss::squared) {
        sum += (score - y) * (score - y);
      } else if (settings_.loss == Loss::logistic) {
        sum -= std::log(std::max(y > 0 ? logistic(score) : logistic(-score), 1e-300));
      } else {
        shares(i, chances);
        sum -= std::log(std::max(chances[static_cast<std::size_t>(y)], 1e-300));
      }
    }
    return held_.empty() ? 0 : sum / static_cast<double>(held_.size());
  }

  const Examples& given_;
  const BoostingSettings& settings_;
  std::size_t n_;
  Coded data_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> held_;
  std::vector<double> gradients_, curvatures_;
  Boosted found_;
};

}  // namespace

Boosted boosted(const Examples& examples, const BoostingSettings& settings,
                const std::function<bool(double)>& progress) {
  return Boosting(examples, settings).run(progress);
}

}  // namespace imputedb
