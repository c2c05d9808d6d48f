#include "linear/equations.hpp"

#include <algorithm>
#include <cmath>

#include "shared/random.hpp"

namespace imputedb {
namespace {

constexpr double kForgotten = 1e-9;  // weight of a missing value below which earlier values do not matter
constexpr double kExact = 1e-10;     // share of a column's square below which a pivot is rounding error

double remembered(const Effect& found, std::span<const std::uint8_t> missing) {
  double most = 0;
  for (std::size_t i = 0; i < found.weights.size(); ++i)
    if (missing[i % missing.size()]) most = std::max(most, std::abs(found.weights[i]));
  return most;
}

// Follows one sequence backwards; false once earlier values no longer matter.
IMPUTEDB_WIDE bool followed(const RegressionSequence& sequence, std::span<const std::uint8_t> missing, Effect& found) {
  const std::size_t q = missing.size(), r = found.weights.size() / q;
  std::vector<double> by(r);
  for (std::size_t i = sequence.sigma.size(); i-- > 0;) {
    const auto j = static_cast<std::size_t>(sequence.columns[i % sequence.columns.size()]);
    if ((i + 1) % sequence.columns.size() == 0 && remembered(found, missing) < kForgotten) return false;
    if (!missing[j]) continue;
    const double variance = sequence.sigma[i] * sequence.sigma[i];
    for (std::size_t t = 0; t < r; ++t) {
      by[t] = found.weights[t * q + j];
      found.weights[t * q + j] = 0;
      if (by[t] != 0) add(by[t], sequence.b.data() + i * q, found.weights.data() + t * q, q);
    }
    for (std::size_t t = 0; t < r; ++t)
      for (std::size_t u = t; u < r; ++u) found.root[t * r + u] += variance * by[t] * by[u];
  }
  return true;
}

}  // namespace

Effect effect(std::span<const RegressionSequence> sequences, std::span<const std::uint8_t> missing,
              std::span<const std::size_t> wanted) {
  std::vector<std::size_t> columns;
  for (std::size_t column : wanted)
    if (missing[column]) columns.push_back(column);
  std::vector<double> weights(columns.size() * missing.size());
  for (std::size_t t = 0; t < columns.size(); ++t) weights[t * missing.size() + columns[t]] = 1;
  Effect found = effect_on(sequences, missing, std::move(weights));
  found.columns = std::move(columns);
  return found;
}

Effect effect_on(std::span<const RegressionSequence> sequences, std::span<const std::uint8_t> missing,
                 std::vector<double> weights) {
  const std::size_t q = missing.size(), r = weights.size() / q;
  Effect found{{}, std::move(weights), std::vector<double>(r * r)};
  for (std::size_t p = sequences.size(); r > 0 && p-- > 0;)
    if (!followed(sequences[p], missing, found)) break;
  for (std::size_t i = 0; i < found.weights.size(); ++i)
    if (missing[i % q]) found.weights[i] = 0;
  factor(found.root.data(), r, 0, kExact);
  return found;
}

void Equations::add(double rows, std::span<const std::uint8_t> missing, std::span<const double> gram) {
  FrequentPattern one{rows, {missing.begin(), missing.end()}, {}, {}, {}, {}, {}, {}, {}};
  for (std::size_t j = 0; j < q_; ++j) (missing[j] ? one.missing_columns : one.observed_columns).push_back(j);
  const std::size_t n = one.observed_columns.size(), k = one.missing_columns.size();
  one.root.assign(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j)
      one.root[i * n + j] = gram[one.observed_columns[i] * q_ + one.observed_columns[j]];
  factor(one.root.data(), n, 0, kExact);
  one.within.assign(k * n, 0.0);
  one.beyond.assign(k * k, 0.0);
  one.lines.assign(k * q_, 0.0);
  frequent_.push_back(std::move(one));
  patterns_.insert(patterns_.end(), gram.begin(), gram.end());
}

void Equations::keep(std::span<const double> rows, std::span<const std::uint8_t> missing) {
  const std::size_t begin = rows_.size() / q_;
  rows_.insert(rows_.end(), rows.begin(), rows.end());
  rare_.push_back({begin, rows_.size() / q_, {missing.begin(), missing.end()}, {}, {}});
}

void Equations::assign_kinds() {
  for (int step : steps_) {
    const auto j = static_cast<std::size_t>(step);
    const auto together = [&](std::size_t other) {
      const auto same = [&](const auto& one) { return one.missing[j] == one.missing[other]; };
      return std::all_of(frequent_.begin(), frequent_.end(), same) && std::all_of(rare_.begin(), rare_.end(), same);
    };
    std::size_t kind = 0;
    while (kind < first_.size() && !together(first_[kind])) ++kind;
    if (kind == first_.size()) first_.push_back(j);
    kinds_.push_back(kind);
  }
  const auto tell = [&](auto& one) {
    for (std::size_t kind = 0; kind < first_.size(); ++kind)
      if (!one.missing[first_[kind]]) one.observed_kinds.push_back(kind);
    one.observed_kinds.push_back(first_.size());
  };
  std::for_each(frequent_.begin(), frequent_.end(), tell);
  std::for_each(rare_.begin(), rare_.end(), tell);
}

// Sums the patterns' cross-products for each kind.
void Equations::sum_cross_products() {
  const std::size_t size = q_ * q_;
  grams_.assign((first_.size() + 1) * size, 0.0);
  for (std::size_t p = 0; p < frequent_.size(); ++p) {
    const FrequentPattern& one = frequent_[p];
    double* gram = patterns_.data() + p * size;
    for (std::size_t c = 0; c < one.missing_columns.size(); ++c)
      for (std::size_t i = 0; i < q_; ++i)
        gram[one.missing_columns[c] * q_ + i] = gram[i * q_ + one.missing_columns[c]] = one.lines[c * q_ + i];
    for (std::size_t kind : one.observed_kinds) imputedb::add(1.0, gram, grams_.data() + kind * size, size);
  }
}

// A run of cycles: a draw if there is a generator, expectations otherwise.
class Run {
 public:
  Run(const Equations& shared, Generator* generator)
      : shared_(shared),
        q_(shared.q_),
        generator_(generator),
        posterior_(q_),
        grams_(shared.grams_),
        line_(q_),
        new_(q_),
        z_(q_) {
    for (const FrequentPattern& one : shared.frequent_) state_.push_back({one.within, one.beyond, one.lines});
    if (!generator) return;
    start();
    rows_ = shared.rows_;
    for (const RarePattern& one : shared.rare_) start(one);
  }

  void take(Generator& generator) { generator_ = &generator; }

  // Fits one regression, and updates the cross-products.
  RegressionTrace step(std::size_t place, double* b, double& sigma) {
    const auto j = static_cast<std::size_t>(shared_.steps_[place]);
    if (turn_ < starts_.size()) {
      sigma = starts_[turn_].sigma;
      std::copy_n(starts_[turn_].b.data(), q_, b);
    } else {
      sigma = posterior_.fit(gram_of(place), j, generator_, b);
    }
    ++turn_;
    for (std::size_t i = 0; i < q_; ++i) b[i] *= shared_.scale_[place];
    add(1.0, shared_.shift_.data() + place * q_, b, q_);
    sigma *= shared_.scale_[place];
    RegressionTrace traced{0, 0, 0};
    for (std::size_t p = 0; p < shared_.frequent_.size(); ++p) {
      if (!shared_.frequent_[p].missing[j]) continue;
      impute(p, j, b, sigma, traced);
      changed(shared_.frequent_[p].observed_kinds, j);
    }
    for (std::size_t g = 0; generator_ && g < shared_.rare_.size(); ++g) {
      if (!shared_.rare_[g].missing[j]) continue;
      impute_rows(shared_.rare_[g], j, b, sigma, traced);
      changed(shared_.rare_[g].observed_kinds, j);
    }
    for (std::size_t kind = 0; kind <= shared_.first_.size(); ++kind) {
      double* gram = grams_.data() + kind * q_ * q_;
      for (std::size_t i = 0; i < q_; ++i) gram[i * q_ + j] = gram[j * q_ + i];
    }
    return traced;
  }

  int left_out() const { return posterior_.left_out(); }

  // Mean products of some columns, over all rows that are learnt from.
  void moments(std::span<const std::size_t> watched, double* out) const {
    const double* gram = grams_.data() + shared_.first_.size() * q_ * q_;
    const double rows = std::max(gram[0], 1.0);
    for (std::size_t i : watched)
      for (std::size_t j : watched) *out++ = gram[i * q_ + j] / rows;
  }

  // Hands the final state over as the start of other runs.
  void release_state(std::vector<FrequentPattern>& many) {
    for (std::size_t p = 0; p < many.size(); ++p) {
      many[p].within = std::move(state_[p].within);
      many[p].beyond = std::move(state_[p].beyond);
      many[p].lines = std::move(state_[p].lines);
    }
  }

 private:
  struct State {
    std::vector<double> within, beyond, lines;
  };

  struct Start {
    double sigma;
    std::vector<double> b;
  };

  const double* gram_of(std::size_t place) const { return grams_.data() + shared_.kinds_[place] * q_ * q_; }

  // Fits the first cycle: each column on the complete ones and those before it, so that columns which are missing
  // together are drawn jointly, however correlated they are. The expectations' cross-products are used.
  void start() {
    std::vector<std::uint8_t> barred(q_);
    for (std::size_t s = 0; s < shared_.leading_; ++s) barred[static_cast<std::size_t>(shared_.steps_[s])] = 1;
    for (std::size_t s = 0; s < shared_.leading_; ++s) {
      const auto j = static_cast<std::size_t>(shared_.steps_[s]);
      starts_.push_back({0, std::vector<double>(q_)});
      starts_[s].sigma = posterior_.fit(gram_of(s), j, generator_, starts_[s].b.data(), barred.data());
      barred[j] = 0;
    }
  }

  double normal() { return generator_ ? generator_->normal() : 0.0; }

  IMPUTEDB_WIDE void changed(const std::vector<std::size_t>& observed_kinds, std::size_t j) {
    for (std::size_t kind : observed_kinds) add(1.0, line_.data(), grams_.data() + (kind * q_ + j) * q_, q_);
  }

  // Draws the first values of a rare pattern's rows, and adds these to the cross-products.
  IMPUTEDB_WIDE void start(const RarePattern& one) {
    const std::size_t r = one.start.columns.size();
    std::vector<double> gram(q_ * q_);
    for (std::size_t row = one.begin; row < one.end; ++row) {
      double* x = rows_.data() + row * q_;
      for (std::size_t t = 0; t < r; ++t) z_[t] = normal();
      for (std::size_t t = 0; t < r; ++t) {
        double value = dot(one.start.weights.data() + t * q_, shared_.rows_.data() + row * q_, q_);
        for (std::size_t u = 0; u <= t; ++u) value += one.start.root[u * r + t] * z_[u];
        x[one.start.columns[t]] = value;
      }
      for (std::size_t i = 0; i < q_; ++i) add(x[i], x, gram.data() + i * q_, q_);
    }
    for (std::size_t kind : one.observed_kinds) add(1.0, gram.data(), grams_.data() + kind * q_ * q_, q_ * q_);
  }

  // New values y = x b + sigma e of a pattern's column, as cross-products y'x. In the basis Q of the observed columns e
  // is standard normal. Outside it, products of e with other missing columns are Normal(0, their cross-products), and
  // the rest of e'e is chi-square. line_ gets the change of y'x.
  IMPUTEDB_WIDE void impute(std::size_t p, std::size_t j, const double* b, double sigma, RegressionTrace& traced) {
    const FrequentPattern& one = shared_.frequent_[p];
    State& now = state_[p];
    const std::size_t n = one.observed_columns.size(), k = one.missing_columns.size();
    const auto mine = static_cast<std::size_t>(std::find(one.missing_columns.begin(), one.missing_columns.end(), j) -
                                               one.missing_columns.begin());
    double* within = now.within.data() + mine * n;
    for (std::size_t i = 0; i < n; ++i) new_[i] = sigma * normal();
    for (std::size_t i = 0; i < n; ++i) z_[i] = b[one.observed_columns[i]];
    for (std::size_t i = 0; i < n; ++i) new_[i] += dot(one.root.data() + i * n + i, z_.data() + i, n - i);
    for (std::size_t c = 0; c < k; ++c)
      if (c != mine) add(b[one.missing_columns[c]], now.within.data() + c * n, new_.data(), n);
    std::copy_n(new_.begin(), n, within);
    const double square = dot(within, within, n) + beyond(one, now, mine, b, sigma);
    double* line = now.lines.data() + mine * q_;
    for (std::size_t i = 0; i < q_; ++i) line_[i] = -line[i];
    std::fill(new_.begin(), new_.begin() + static_cast<std::ptrdiff_t>(n), 0.0);
    for (std::size_t i = 0; i < n; ++i) add(within[i], one.root.data() + i * n + i, new_.data() + i, n - i);
    for (std::size_t i = 0; i < n; ++i) line[one.observed_columns[i]] = new_[i];
    for (std::size_t c = 0; c < k; ++c) {
      const double product = c == mine ? square : dot(now.within.data() + c * n, within, n) + now.beyond[mine * k + c];
      line[one.missing_columns[c]] = product;
      now.lines[c * q_ + j] = product;
    }
    for (std::size_t i = 0; i < q_; ++i) line_[i] += line[i];
    traced.count += one.rows, traced.sum += line[0], traced.square += square;
  }

  // The residual of the new column on the observed ones: its products with other residuals, and its square.
  double beyond(const FrequentPattern& one, State& now, std::size_t mine, const double* b, double sigma) {
    const std::size_t k = one.missing_columns.size(), m = k - 1;
    const auto other = [mine](std::size_t c) { return c < mine ? c : c + 1; };
    error_.assign(m, 0.0);
    double product = sigma * sigma * (generator_ ? noise(one, now, mine) : one.rows);
    for (std::size_t c = 0; c < m; ++c) {
      const double weight = b[one.missing_columns[other(c)]];
      double said = 0;
      for (std::size_t d = 0; d < m; ++d)
        said += now.beyond[other(c) * k + other(d)] * b[one.missing_columns[other(d)]];
      product += weight * (said + 2 * sigma * error_[c]);
      error_[c] = said + sigma * error_[c];
    }
    for (std::size_t c = 0; c < m; ++c) now.beyond[mine * k + other(c)] = now.beyond[other(c) * k + mine] = error_[c];
    return now.beyond[mine * k + mine] = product;
  }

  // Writes the products of noise with the other residuals to error_, and returns the square of the noise.
  double noise(const FrequentPattern& one, const State& now, std::size_t mine) {
    const std::size_t k = one.missing_columns.size(), m = k - 1;
    others_.assign(m * m, 0.0);
    for (std::size_t c = 0; c < m; ++c)
      for (std::size_t d = c; d < m; ++d)
        others_[c * m + d] = now.beyond[(c < mine ? c : c + 1) * k + (d < mine ? d : d + 1)];
    factor(others_.data(), m, 0, kExact);
    double square =
        generator_->chi_square(std::max(one.rows - static_cast<double>(one.observed_columns.size() + m), 1.0));
    for (std::size_t c = 0; c < m; ++c) {
      const double z = generator_->normal();
      square += z * z;
      add(z, others_.data() + c * m + c, error_.data() + c, m - c);
    }
    return square;
  }

  IMPUTEDB_WIDE void impute_rows(const RarePattern& one, std::size_t j, const double* b, double sigma,
                                 RegressionTrace& traced) {
    std::fill(line_.begin(), line_.end(), 0.0);
    double squares = 0;
    for (std::size_t row = one.begin; row < one.end; ++row) {
      double* x = rows_.data() + row * q_;
      const double before = x[j], value = dot(x, b, q_) + sigma * normal();
      add(value - before, x, line_.data(), q_);
      squares += value * value - before * before;
      x[j] = value;
      traced.count += 1, traced.sum += value, traced.square += value * value;
    }
    line_[j] = squares;
  }

  const Equations& shared_;
  const std::size_t q_;
  Generator* generator_;
  Posterior posterior_;
  std::vector<Start> starts_;
  std::size_t turn_ = 0;
  std::vector<double> grams_, rows_, line_, new_, z_, others_, error_;
  std::vector<State> state_;
};

Expected Equations::expect(std::size_t cycles, double still, std::size_t many, std::span<double> b,
                           std::span<double> sigma) {
  assign_kinds();
  sum_cross_products();
  Expected found;
  const std::size_t count = steps_.size();
  {
    Run run(*this, nullptr);
    while (found.cycles < cycles && (found.changes.empty() || found.changes.back() >= still)) {
      double change = 0;
      for (std::size_t s = 0; s < count; ++s) {
        const std::size_t i = found.cycles * count + s;
        run.step(s, b.data() + i * q_, sigma[i]);
        for (std::size_t c = 0; c < q_; ++c)
          if (s < leading_)
            change = std::max(change, std::abs(b[i * q_ + c] - (found.cycles ? b[(i - count) * q_ + c] : 0.0)));
        if (!found.cycles) found.left_out.push_back(run.left_out());
      }
      found.changes.push_back(change);
      ++found.cycles;
    }
    run.release_state(frequent_);
  }
  frequent_.resize(many);
  sum_cross_products();
  patterns_.clear();
  patterns_.shrink_to_fit();
  std::vector<std::size_t> all(q_);
  for (std::size_t j = 0; j < q_; ++j) all[j] = j;
  const RegressionSequence sequence{steps_, b.first(found.cycles * count * q_), sigma.first(found.cycles * count)};
  for (RarePattern& one : rare_) one.start = effect(std::span(&sequence, 1), one.missing, all);
  return found;
}

void Equations::draw(std::uint64_t key, std::size_t cycles, std::span<const std::size_t> watched, std::span<double> b,
                     std::span<double> sigma, std::span<RegressionTrace> traced, std::span<double> moments) const {
  Generator generator(key);
  Run run(*this, &generator);
  const std::size_t count = steps_.size();
  for (std::size_t i = 0; i < cycles * count; ++i) {
    Generator own(mixed(key ^ mixed(i / count * q_ + static_cast<std::size_t>(steps_[i % count]))));
    run.take(i % count < leading_ ? generator : own);
    traced[i] = run.step(i % count, b.data() + i * q_, sigma[i]);
    if (i % count == count - 1) run.moments(watched, moments.data() + i / count * watched.size() * watched.size());
  }
}

}  // namespace imputedb
