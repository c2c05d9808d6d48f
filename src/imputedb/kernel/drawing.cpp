#include "drawing.hpp"

#include <algorithm>
#include <numeric>

namespace imputedb {
namespace {

constexpr std::size_t kBlock = 2;   // targets that learn from the same state, whatever the number of threads
constexpr double kSettled = 0.002;  // share of imputed cells below which a cycle has changed nothing

enum Use : std::uint64_t { kBootstrap = 3, kStart = 11, kDonor = 12 };

// A run of gaps.
struct Run {
  std::size_t deck, begin, end;
};

class Draw {
 public:
  Draw(const Job& job, std::span<const Deck> decks, std::size_t position, std::span<void* const> outputs,
       const Settings& settings, Tasks& tasks, Report& report)
      : job_(job), decks_(decks), outputs_(outputs), settings_(settings), tasks_(tasks), report_(report) {
    codes_.drawn.resize(job.columns.size());
    for (const Binned& binned : job.binned) codes_.now.push_back(binned.codes.data());
    for (std::size_t d = 0; d < decks.size(); ++d) {
      own_.push_back(job.codes(target(d)).codes);
      codes_.now[place(d)] = own_[d].data();
      codes_.drawn[place(d)] = true;
      cut(d, 0, decks[d].ends[0]);
      cut(d, decks[d].ends[position], decks[d].ends[position + 1]);
      const auto told = std::lower_bound(decks[d].gaps.begin(), decks[d].gaps.begin() + decks[d].ends[0], settings.taught);
      cells_ += static_cast<std::size_t>(told - decks[d].gaps.begin());
      leading_ += told != decks[d].gaps.begin();
    }
    grounds_.resize(decks.size());
  }

  void run() {
    start();
    for (int cycle = 1; cycle <= settings_.cycles && !tasks_.stop(); ++cycle) {
      report_.cycles = cycle;
      changed_ = 0;
      for (std::size_t first = 0; first < decks_.size() && !tasks_.stop(); first += kBlock)
        learn(cycle, first, std::min(first + kBlock, decks_.size()));
      if (static_cast<double>(changed_) <= kSettled * static_cast<double>(cells_) || leading_ < 2) break;
    }
  }

 private:
  const Target& target(std::size_t d) const { return job_.targets[decks_[d].target]; }
  std::size_t place(std::size_t d) const { return static_cast<std::size_t>(target(d).place); }

  Stream stream(int cycle, std::size_t d, Use use) const {
    return {settings_.seed, settings_.draw_number, static_cast<std::uint64_t>(cycle), place(d), use};
  }

  void cut(std::size_t d, std::size_t begin, std::size_t end) {
    for (; begin < end; begin += kChunk) runs_.push_back({d, begin, std::min(begin + kChunk, end)});
  }

  // The hot deck: every missing cell starts as a random observed value of its column.
  void start() {
    tasks_.each(runs_.size(), [this](std::size_t i) {
      const std::vector<std::uint32_t>& observed = decks_[runs_[i].deck].observed;
      const std::vector<std::uint8_t> codes =
          take(runs_[i], stream(0, runs_[i].deck, kStart), [&](std::size_t) { return std::span(observed); });
      put(runs_[i], codes);
    });
  }

  void learn(int cycle, std::size_t first, std::size_t last) {
    std::vector<Donors> found(last - first);
    tasks_.each(found.size(), [&](std::size_t b) {
      const std::size_t d = first + b;
      found[b] = donors(ground(d), job_.binned, codes_, stream(cycle, d, kBootstrap), settings_);
    });
    const auto [begin, end] = std::pair(run_of(first), run_of(last));
    std::vector<std::vector<std::uint8_t>> codes(end - begin);
    tasks_.each(codes.size(), [&](std::size_t i) {
      const Run& run = runs_[begin + i];
      if (found[run.deck - first].known()) codes[i] = drawn(run, found[run.deck - first], cycle);
    });
    if (tasks_.stop()) return;
    for (std::size_t i = 0; i < codes.size(); ++i)
      if (!codes[i].empty()) changed_ += put(runs_[begin + i], codes[i]);
    for (std::size_t d = first; d < last; ++d)
      report_.targets[decks_[d].target] = {found[d - first].known() ? Kind::tree : Kind::centre, 1, ground(d).features};
    tasks_.advance(last - first);
  }

  const Ground& ground(std::size_t d) {
    if (decks_[d].ground) return *decks_[d].ground;
    if (!grounds_[d]) grounds_[d] = imputedb::ground(job_.lesson(target(d), settings_, tasks_.stop()));
    return *grounds_[d];
  }

  std::size_t run_of(std::size_t d) const {
    const auto before = [](const Run& run, std::size_t deck) { return run.deck < deck; };
    return static_cast<std::size_t>(std::lower_bound(runs_.begin(), runs_.end(), d, before) - runs_.begin());
  }

  std::span<const std::uint32_t> rows(const Run& run) const {
    return std::span(decks_[run.deck].gaps).subspan(run.begin, run.end - run.begin);
  }

  std::vector<std::uint8_t> drawn(const Run& run, const Donors& donors, int cycle) const {
    const Ground& from = decks_[run.deck].ground ? *decks_[run.deck].ground : *grounds_[run.deck];
    std::vector<Feature> features;
    for (std::size_t f = 0; f < from.features.size(); ++f)
      features.push_back({codes_.now[static_cast<std::size_t>(from.features[f])], donors.orders[f].data()});
    std::vector<std::uint16_t> nodes(run.end - run.begin);
    descended(donors.tree, features, 1, rows(run), nodes);
    return take(run, stream(cycle, run.deck, kDonor), [&](std::size_t i) { return donors.of(nodes[i]); });
  }

  // Values of random donors to the outputs; their codes. Donors: gap -> rows where the target is observed.
  template <class Choice>
  std::vector<std::uint8_t> take(const Run& run, const Stream& stream, Choice&& choice) const {
    const Deck& deck = decks_[run.deck];
    const std::vector<std::uint8_t>& codes = job_.codes(target(run.deck)).codes;
    std::vector<std::uint8_t> out(run.end - run.begin);
    job_.column(target(run.deck)).visit([&](const auto* values) {
      using Value = std::remove_cvref_t<decltype(*values)>;
      Value* filled = static_cast<Value*>(outputs_[deck.target]);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::span<const std::uint32_t> donors = choice(i);
        const std::uint64_t key = job_.marks.key(deck.gaps[run.begin + i]);
        const std::uint32_t donor = donors[stream.below(key, static_cast<std::uint32_t>(donors.size()))];
        filled[deck.outputs[run.begin + i]] = values[donor];
        out[i] = codes[donor];
      }
    });
    return out;
  }

  // Codes of gaps as they are from now on; how many have changed in the rows that are learnt from.
  std::size_t put(const Run& run, std::span<const std::uint8_t> codes) {
    std::uint8_t* now = own_[run.deck].data();
    std::size_t changed = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      std::uint8_t& cell = now[rows(run)[i]];
      changed += rows(run)[i] < settings_.taught && cell != codes[i];
      cell = codes[i];
    }
    return changed;
  }

  const Job& job_;
  const std::span<const Deck> decks_;
  const std::span<void* const> outputs_;
  const Settings& settings_;
  Tasks& tasks_;
  Report& report_;
  Codes codes_;
  std::vector<std::vector<std::uint8_t>> own_;  // by deck, of all rows
  std::vector<std::optional<Ground>> grounds_;
  std::vector<Run> runs_;
  std::size_t changed_ = 0, cells_ = 0, leading_ = 0;  // of rows that are learnt from: others say nothing of when to end
};

// 0 for a row of every draw, else one more than its draw's position; beyond them all if none of these has it.
std::size_t turn_of(std::int64_t number, std::span<const std::uint64_t> draws) {
  if (number == Marks::kEvery) return 0;
  const auto found = std::find(draws.begin(), draws.end(), static_cast<std::uint64_t>(number));
  return static_cast<std::size_t>(found - draws.begin()) + 1;
}

}  // namespace

Deck deck(const Job& job, std::size_t target, std::span<const std::uint64_t> draws, const Settings& settings,
          const std::atomic<bool>& stop) {
  Deck out{target, {}, {}, {}, std::vector<std::size_t>(draws.size() + 1), std::nullopt};
  const Column& column = job.column(job.targets[target]);
  std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> gaps(draws.size() + 1);
  std::uint32_t place = 0;
  for (std::uint32_t row = 0; row < column.rows; ++row) {
    if (!column.is_missing(row)) {
      if (row < settings.taught) out.observed.push_back(row);
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
  if (draws.size() == 1 || out.observed.size() <= job.targets[target].train_rows)
    out.ground = ground(job.lesson(job.targets[target], settings, stop));
  return out;
}

void draw(const Job& job, std::span<const Deck> decks, std::size_t position, std::span<void* const> outputs,
          const Settings& settings, Tasks& tasks, Report& report) {
  Draw(job, decks, position, outputs, settings, tasks, report).run();
}

}  // namespace imputedb
