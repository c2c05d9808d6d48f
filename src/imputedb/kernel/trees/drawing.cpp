#include "trees/drawing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

namespace imputedb {
namespace {

constexpr double kLeft = 0.005;     // share of the start's error that may remain
constexpr double kSlowest = 0.95;
constexpr std::array<int, 2> kCycles{1, 20};
constexpr std::size_t kWatched = 20;        // columns whose moments are recorded, those with the most missing values
constexpr std::size_t kWatchedRows = 4096;  // rows for these moments
constexpr double kSettled = 0.002;  // share of changed imputed cells at which cycles end

enum Use : std::uint64_t { kBootstrap = 3, kStart = 11, kDonor = 12, kSide = 13 };

// Some consecutive missing cells of a drawn column.
struct Run {
  std::size_t drawn_column, begin, end;
};

// The missing cells of a column in rows that models are fitted to; others do not affect when cycles end.
std::span<const std::uint32_t> training_gaps(const DrawnColumn& drawn_column, const Settings& settings) {
  const std::span<const std::uint32_t> every = std::span(drawn_column.gaps).first(drawn_column.ends[0]);
  const auto end = std::lower_bound(every.begin(), every.end(), settings.fitted_rows);
  return every.first(static_cast<std::size_t>(end - every.begin()));
}

// Whether missing values are nested (monotone), so that the start is a joint draw (Rubin 1987, page 171).
bool monotone(std::span<const DrawnColumn> drawn_columns, const Settings& settings) {
  std::span<const std::uint32_t> before;
  for (const DrawnColumn& drawn_column : drawn_columns) {
    const std::span<const std::uint32_t> now = training_gaps(drawn_column, settings);
    if (now.empty()) break;
    if (!std::includes(now.begin(), now.end(), before.begin(), before.end())) return false;
    before = now;
  }
  return true;
}

class Draw {
 public:
  Draw(const Job& job, std::span<const DrawnColumn> drawn_columns, std::size_t position, std::span<void* const> outputs,
       const Settings& settings, Tasks& tasks, Report& report, State& state)
      : job_(job),
        drawn_columns_(drawn_columns),
        outputs_(outputs),
        settings_(settings),
        tasks_(tasks),
        report_(report),
        codes_(state.codes),
        own_(state.own) {
    for (std::size_t d = 0; d < drawn_columns.size(); ++d) {
      own_.push_back(job.codes(target(d)).codes);
      codes_.now[place(d)] = own_[d].data();
      codes_.drawn[place(d)] = true;
      codes_.known[place(d)] = training_gaps(drawn_columns[d], settings).empty();
      cut(d, 0, drawn_columns[d].ends[0]);
      cut(d, drawn_columns[d].ends[position], drawn_columns[d].ends[position + 1]);
      cells_ += training_gaps(drawn_columns[d], settings).size();
    }
    pools_.resize(drawn_columns.size());
    partial_pools_.resize(drawn_columns.size());
  }

  void run() {
    for (std::size_t d = 0; d < drawn_columns_.size() && !tasks_.stop(); ++d) start(d);
    const int most = cycles_of(job_, drawn_columns_, settings_);
    if (most > 0) watch();
    for (int cycle = 1; cycle <= most && !tasks_.stop(); ++cycle) {
      report_.cycles = cycle;
      changed_ = 0;
      for (std::size_t d = 0; d < drawn_columns_.size() && !tasks_.stop(); ++d) learn(cycle, d);
      watch();
      if (static_cast<double>(changed_) <= kSettled * static_cast<double>(cells_)) break;
    }
  }

 private:
  // Records the moments of the columns over the first rows, whose order is random.
  void watch() {
    std::vector<const std::uint8_t*> columns;
    report_.trace.watched.clear();
    for (std::size_t d = drawn_columns_.size() - std::min(drawn_columns_.size(), kWatched); d < drawn_columns_.size();
         ++d) {
      if (training_gaps(drawn_columns_[d], settings_).empty()) continue;
      columns.push_back(own_[d].data());
      report_.trace.watched.push_back(target(d).place);
    }
    const std::size_t wide = columns.size() + 1, n = std::min({kWatchedRows, settings_.fitted_rows, job_.rows()});
    std::vector<double> sums(wide * wide), row(wide, 1.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 1; c < wide; ++c) row[c] = columns[c - 1][i];
      for (std::size_t a = 0; a < wide; ++a)
        for (std::size_t b = a; b < wide; ++b) sums[a * wide + b] += row[a] * row[b];
    }
    for (std::size_t a = 0; a < wide; ++a)
      for (std::size_t b = 0; b < wide; ++b)
        report_.trace.moments.push_back(sums[std::min(a, b) * wide + std::max(a, b)] / static_cast<double>(n));
  }

  const Target& target(std::size_t d) const { return job_.targets[drawn_columns_[d].target]; }
  std::size_t place(std::size_t d) const { return static_cast<std::size_t>(target(d).place); }

  Stream stream(int cycle, std::size_t d, Use use) const {
    return {settings_.seed, settings_.draw_number, static_cast<std::uint64_t>(cycle), place(d), use};
  }

  void cut(std::size_t d, std::size_t begin, std::size_t end) {
    for (; begin < end; begin += kChunk) runs_.push_back({d, begin, std::min(begin + kChunk, end)});
  }

  // Starts a target given complete columns and targets drawn before it; with random observed values without any model.
  void start(std::size_t d) {
    if (!learn(0, d))
      each(d, [&](const Run& run) {
        const std::vector<std::uint32_t>& observed = drawn_columns_[d].observed;
        const Stream pick = stream(0, d, kStart);
        return take(run, [&](std::size_t i) {
          return observed[pick.below(job_.marks.key(rows(run)[i]), static_cast<std::uint32_t>(observed.size()))];
        });
      });
    codes_.known[place(d)] = true;
  }

  // Fits a model and draws the target's values; false if there was nothing to learn from.
  bool learn(int cycle, std::size_t d) {
    const std::size_t gaps = drawn_columns_[d].ends[0];
    const Stream bootstrap = stream(cycle, d, kBootstrap);
    Known known;
    known.whole = donors(donor_pool(d), job_.binned, codes_, bootstrap, settings_);
    known.whole.expect(gaps);
    if (const DonorPool* rest = partial_pool(d)) {
      known.jointly_missing = drawn_columns_[d].jointly_missing.some;
      known.rest = donors(*rest, job_.binned, codes_, bootstrap, settings_);
      known.rest.expect(gaps);
    }
    if (known.whole.known()) each(d, [&](const Run& run) { return drawn(run, known, cycle); });
    report_.targets[drawn_columns_[d].target] = {donor_pool(d).features.empty() ? Kind::centre : Kind::tree, 1,
                                                 donor_pool(d).features};
    tasks_.advance(1);
    return known.whole.known();
  }

  // Sets new values for the gaps of a target, whose codes `values` gives for each run.
  template <class Values>
  void each(std::size_t d, Values&& values) {
    const auto [begin, end] = std::pair(run_of(d), run_of(d + 1));
    std::vector<std::vector<std::uint8_t>> codes(end - begin);
    tasks_.each(codes.size(), [&](std::size_t i) { codes[i] = values(runs_[begin + i]); });
    if (tasks_.stop()) return;
    for (std::size_t i = 0; i < codes.size(); ++i) changed_ += put(runs_[begin + i], codes[i]);
  }

  // Donors by all columns; and by the others, for rows that miss columns which are missing together with the target.
  struct Known {
    Donors whole, rest;
    std::span<const std::uint8_t> jointly_missing;
  };

  // The data without columns that are missing together with a target; null if there are no such columns.
  const DonorPool* partial_pool(std::size_t d) {
    if (drawn_columns_[d].jointly_missing.some.empty()) return nullptr;
    if (drawn_columns_[d].rest) return &*drawn_columns_[d].rest;
    if (!partial_pools_[d]) {
      const std::size_t most = target(d).train_rows;
      partial_pools_[d] = imputedb::donor_pool(
          job_.training_data(target(d), most, settings_, tasks_.stop(), drawn_columns_[d].jointly_missing.some));
    }
    return &*partial_pools_[d];
  }

  const DonorPool& donor_pool(std::size_t d) {
    if (drawn_columns_[d].donor_pool) return *drawn_columns_[d].donor_pool;
    const JointlyMissing& found = drawn_columns_[d].jointly_missing;
    if (!pools_[d])
      pools_[d] =
          imputedb::donor_pool(job_.training_data(target(d), found.most, settings_, tasks_.stop(), found.barred));
    return *pools_[d];
  }

  std::size_t run_of(std::size_t d) const {
    const auto before = [](const Run& run, std::size_t drawn_column) { return run.drawn_column < drawn_column; };
    return static_cast<std::size_t>(std::lower_bound(runs_.begin(), runs_.end(), d, before) - runs_.begin());
  }

  std::span<const std::uint32_t> rows(const Run& run) const {
    return std::span(drawn_columns_[run.drawn_column].gaps).subspan(run.begin, run.end - run.begin);
  }

  std::vector<std::uint8_t> drawn(const Run& run, const Known& known, int cycle) const {
    const Donors& whole = known.whole;
    std::vector<std::uint16_t> nodes(run.end - run.begin);
    descended(whole.tree, whole.features, 1, rows(run), nodes, true);
    const Stream pick = stream(cycle, run.drawn_column, kDonor), side = stream(cycle, run.drawn_column, kSide);
    return take(run, [&](std::size_t i) {
      const std::uint32_t row = rows(run)[i];
      const std::uint64_t key = job_.marks.key(row);
      const auto chance = [&](std::size_t node) { return side.uniform(key ^ mixed(node)); };
      const auto below = [&](std::uint32_t turn, std::uint32_t n) { return pick.below(key, n, turn); };
      const bool apart = known.rest.known() && misses(codes_.now, known.jointly_missing, row);
      const Donors& from = apart ? known.rest : whole;
      return from.of(lost(from.tree, from.features, row, apart ? 0 : nodes[i], chance), row, below);
    });
  }

  // Writes the donors' values to the outputs, and returns their codes.
  template <class Choice>
  std::vector<std::uint8_t> take(const Run& run, Choice&& choice) const {
    const DrawnColumn& drawn_column = drawn_columns_[run.drawn_column];
    const std::vector<std::uint8_t>& codes = job_.codes(target(run.drawn_column)).codes;
    std::vector<std::uint8_t> out(run.end - run.begin);
    job_.column(target(run.drawn_column)).visit([&](const auto* values) {
      using Value = std::remove_cvref_t<decltype(*values)>;
      Value* filled = static_cast<Value*>(outputs_[drawn_column.target]);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::uint32_t donor = choice(i);
        filled[drawn_column.outputs[run.begin + i]] = values[donor];
        out[i] = codes[donor];
      }
    });
    return out;
  }

  // Sets the codes of gaps, and returns how many changed in the rows that are learnt from.
  std::size_t put(const Run& run, std::span<const std::uint8_t> codes) {
    std::uint8_t* now = own_[run.drawn_column].data();
    std::size_t changed = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      std::uint8_t& cell = now[rows(run)[i]];
      changed += rows(run)[i] < settings_.fitted_rows && cell != codes[i];
      cell = codes[i];
    }
    return changed;
  }

  const Job& job_;
  const std::span<const DrawnColumn> drawn_columns_;
  const std::span<void* const> outputs_;
  const Settings& settings_;
  Tasks& tasks_;
  Report& report_;
  Codes& codes_;
  std::vector<std::vector<std::uint8_t>>& own_;  // by drawn column, the codes of all rows
  std::vector<std::optional<DonorPool>> pools_, partial_pools_;
  std::vector<Run> runs_;
  std::size_t changed_ = 0, cells_ = 0;  // in rows that are learnt from; others do not affect when cycles end
};

// 0 for a row of every draw, otherwise its draw's position plus 1; a larger number if no draw has it.
std::size_t turn_of(std::int64_t number, std::span<const std::uint64_t> draws) {
  if (number == Marks::kEvery) return 0;
  const auto found = std::find(draws.begin(), draws.end(), static_cast<std::uint64_t>(number));
  return static_cast<std::size_t>(found - draws.begin()) + 1;
}

}  // namespace

int cycles_of(const Job& job, std::span<const DrawnColumn> drawn_columns, const Settings& settings) {
  if (settings.cycles >= 0 || monotone(drawn_columns, settings)) return std::max(settings.cycles, 0);
  std::vector<double> shares{0, 0};
  for (const DrawnColumn& drawn_column : drawn_columns) {
    const auto gaps = static_cast<double>(training_gaps(drawn_column, settings).size());
    shares.push_back(gaps / static_cast<double>(std::min(settings.fitted_rows, job.rows())));
  }
  std::nth_element(shares.begin(), shares.begin() + 1, shares.end(), std::greater<>());
  const double wanted = std::log(kLeft) / std::log(std::min(shares[1], kSlowest)) - 2;
  return std::clamp(static_cast<int>(std::ceil(wanted)), kCycles[0], kCycles[1]);
}

State stored(const Job& job) {
  State out;
  for (const Binned& binned : job.binned) out.codes.now.push_back(binned.codes.data());
  out.codes.drawn.resize(job.columns.size());
  out.codes.known.assign(job.columns.size(), true);
  return out;
}

DrawnColumn drawn_column(const Job& job, std::size_t target, std::span<const std::uint64_t> draws,
                         const Settings& settings, const std::atomic<bool>& stop) {
  DrawnColumn out{target,
                  {},
                  {},
                  {},
                  std::vector<std::size_t>(draws.size() + 1),
                  std::nullopt,
                  job.jointly_missing(job.targets[target], settings),
                  std::nullopt};
  const Column& column = job.column(job.targets[target]);
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> gaps(draws.size() + 1);
  std::uint32_t place = 0;
  for (std::uint32_t row = 0; row < column.rows; ++row) {
    if (!column.is_missing(row)) {
      if (row < settings.fitted_rows) out.observed.push_back(row);
      continue;
    }
    const std::size_t turn = turn_of(job.marks.draw(row), draws);
    if (turn < gaps.size()) gaps[turn].emplace_back(row, place);
    ++place;
  }
  for (std::size_t d = 0; d < gaps.size(); ++d) {
    for (const auto& [row, to] : gaps[d]) {
      out.gaps.push_back(row);
      out.outputs.push_back(to);
    }
    out.ends[d] = out.gaps.size();
  }
  const std::size_t most = job.targets[target].train_rows;
  const auto made = [&](const std::vector<std::uint8_t>& barred, std::size_t rows, const Settings& how) {
    return donor_pool(job.training_data(job.targets[target], rows, how, stop, barred));
  };
  const bool shared = draws.size() == 1 || out.observed.size() <= most, fewer = out.jointly_missing.most < most;
  Settings same = settings;
  if (fewer) same.draw_number = 0;  // the same rows in every draw, each with a bootstrap of its own
  if (shared || fewer) out.donor_pool = made(out.jointly_missing.barred, out.jointly_missing.most, same);
  if (shared && !out.jointly_missing.some.empty()) out.rest = made(out.jointly_missing.some, most, settings);
  return out;
}

void draw(const Job& job, std::span<const DrawnColumn> drawn_columns, std::size_t position,
          std::span<void* const> outputs, const Settings& settings, Tasks& tasks, Report& report, State& state) {
  Draw(job, drawn_columns, position, outputs, settings, tasks, report, state).run();
}

}  // namespace imputedb
