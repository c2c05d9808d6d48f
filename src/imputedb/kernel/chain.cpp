#include "chain.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

#include "pool.hpp"
#include "random.hpp"

namespace imputedb {
namespace {

constexpr int kBins = 127;               // enough that a split is off by less than a hundredth of the rows
constexpr std::size_t kBlock = 2;        // targets that learn from the same state, whatever the number of threads
constexpr std::size_t kChunk = 1 << 16;  // rows of one task
constexpr std::size_t kManyCells = 1 << 17;
constexpr double kSettled = 0.002;       // share of imputed cells below which a cycle has changed nothing

enum Use : std::uint64_t { kStart = 11, kDonor = 12 };

template <class Given>
void store(const Column& column, void* values, std::size_t place, Given value) {
  column.visit([&](const auto* typed) {
    using Value = std::remove_cvref_t<decltype(*typed)>;
    static_cast<Value*>(values)[place] = static_cast<Value>(value);
  });
}

void copy(const Column& column, void* values, std::size_t place, std::size_t donor) {
  column.visit([&](const auto* typed) {
    using Value = std::remove_cvref_t<decltype(*typed)>;
    static_cast<Value*>(values)[place] = typed[donor];
  });
}

// Whether other threads are worth waking.
bool worth(std::span<const Column> columns, std::span<const int> targets) {
  return targets.size() > 1 || (!columns.empty() && columns[0].rows * columns.size() >= kManyCells);
}

// What all draws share.
struct Common {
  std::vector<Binned> state;
  std::vector<std::vector<std::size_t>> offsets;  // by target, where each chunk's missing cells begin among its own
  std::vector<std::size_t> order;  // targets that miss a value: the fewest missing first in rows that are learnt from
  std::size_t leading = 0;         // of these, how many miss one there; other rows change nothing for those
};

Common common_to(std::span<const Column> columns, std::span<const int> targets, std::size_t taught, Pool& pool) {
  Common out;
  const std::size_t rows = columns.empty() ? 0 : columns[0].rows, chunks = (rows + kChunk - 1) / kChunk;
  out.state.resize(columns.size());
  pool.run(columns.size(), [&](std::size_t c) { out.state[c] = binned(columns[c], kBins, taught); }, [] {});
  out.offsets.assign(targets.size(), std::vector<std::size_t>(chunks + 1));
  std::vector<std::size_t> lacking(targets.size());
  for (std::size_t t = 0; t < targets.size(); ++t) {
    std::vector<std::size_t>& offsets = out.offsets[t];
    const Column& column = columns[static_cast<std::size_t>(targets[t])];
    for (std::size_t row = 0; row < rows; ++row) {
      offsets[row / kChunk + 1] += column.is_missing(row);
      lacking[t] += row < taught && column.is_missing(row);
    }
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    if (offsets.back() > 0) out.order.push_back(t);
    out.leading += lacking[t] > 0;
  }
  const auto late = [&](std::size_t t) { return std::pair(lacking[t] == 0, lacking[t]); };
  std::stable_sort(out.order.begin(), out.order.end(),
                   [&](std::size_t a, std::size_t b) { return late(a) < late(b); });
  return out;
}

class Chain {
 public:
  Chain(std::span<const Column> columns, std::span<const int> targets, std::span<const Output> outputs,
        const Common& common, const Marks& marks, const Settings& settings, const Between& between, Pool& pool)
      : columns_(columns),
        outputs_(outputs),
        marks_(marks),
        settings_(settings),
        between_(between),
        pool_(pool),
        targets_(targets.begin(), targets.end()),
        state_(common.state),
        offsets_(common.offsets),
        order_(common.order),
        leading_(common.leading) {}

  bool run() {
    report_.targets.resize(targets_.size());
    total_ = 1 + targets_.size() * static_cast<std::size_t>(std::max(settings_.cycles, 1));
    advance(1);
    if (settings_.draw || settings_.cycles < 1) start();  // predictions depend on no other target's values
    for (int cycle = 1; cycle <= settings_.cycles && !stop_; ++cycle) {
      report_.cycles = cycle;
      changed_ = 0;
      cells_ = 0;
      for (std::size_t at = 0; at < order_.size() && !stop_; at += kBlock)
        learn(cycle, std::span(order_).subspan(at, std::min(kBlock, order_.size() - at)));
      if (!settings_.draw || static_cast<double>(changed_) <= kSettled * static_cast<double>(cells_) ||
          leading_ < 2)
        break;
    }
    return !stop_;
  }

  const Report& report() const { return report_; }

 private:
  void each(std::size_t count, const std::function<void(std::size_t)>& task) {
    pool_.run(
        count,
        [&](std::size_t i) {
          if (!stop_) task(i);
        },
        [this] { ask(); });
  }

  void ask() {
    if (!stop_ && between_(static_cast<double>(done_) / static_cast<double>(total_))) stop_ = true;
  }

  void advance(std::size_t steps) {
    done_ += steps;
    ask();
  }

  std::size_t rows() const { return columns_.empty() ? 0 : columns_[0].rows; }
  std::size_t chunks() const { return (rows() + kChunk - 1) / kChunk; }
  std::uint64_t key(std::size_t row) const { return marks_.key(row); }

  template <class F>
  void each_missing(std::size_t t, std::size_t chunk, F&& f) const {
    const Column& column = columns_[static_cast<std::size_t>(targets_[t])];
    std::size_t place = offsets_[t][chunk];
    const std::size_t end = std::min(rows(), (chunk + 1) * kChunk);
    for (std::size_t row = chunk * kChunk; row < end; ++row)
      if (column.is_missing(row)) f(row, place++);
  }

  // The hot deck: every missing cell starts as a random observed value of its column.
  void start() {
    each(order_.size(), [this](std::size_t place) {
      const std::size_t t = order_[place];
      const auto c = static_cast<std::size_t>(targets_[t]);
      const std::vector<std::uint32_t> donors = observed(c);
      const Stream stream(settings_.seed, settings_.draw_number, 0, c, kStart);
      std::vector<std::uint8_t>& codes = state_[c].codes;
      for (std::size_t chunk = 0; chunk < chunks(); ++chunk)
        each_missing(t, chunk, [&](std::size_t row, std::size_t out) {
          const std::uint32_t donor = donors[stream.below(key(row), static_cast<std::uint32_t>(donors.size()))];
          if (settings_.draw) codes[row] = codes[donor];
          copy(columns_[c], outputs_[t].values, out, donor);
        });
    });
  }

  std::vector<std::uint32_t> observed(std::size_t c) const {
    std::vector<std::uint32_t> out;
    out.reserve(state_[c].observed);
    for (std::size_t row = 0; row < settings_.taught; ++row)
      if (!columns_[c].is_missing(row)) out.push_back(static_cast<std::uint32_t>(row));
    return out;
  }

  void learn(int cycle, std::span<const std::size_t> block) {
    std::vector<Model> models(block.size());
    each(block.size(), [&](std::size_t b) {
      const int place = targets_[block[b]];
      models[b] = learnt({state_, columns_[static_cast<std::size_t>(place)], place, marks_, settings_, cycle,
                          outputs_[block[b]].train_rows, stop_});
    });
    if (stop_) return;
    std::vector<std::vector<std::uint8_t>> codes(block.size());
    for (std::size_t b = 0; settings_.draw && b < block.size(); ++b) codes[b].resize(offsets_[block[b]].back());
    const std::size_t parts = chunks();
    std::vector<std::size_t> changed(block.size() * parts), seen(block.size() * parts);
    each(block.size() * parts,
         [&](std::size_t i) { apply(cycle, block[i / parts], models[i / parts], i % parts, codes[i / parts]); });
    if (stop_) return;
    if (settings_.draw)
      each(block.size() * parts, [&](std::size_t i) {
        const std::size_t t = block[i / parts];
        std::vector<std::uint8_t>& now = state_[static_cast<std::size_t>(targets_[t])].codes;
        each_missing(t, i % parts, [&](std::size_t row, std::size_t out) {
          if (row < settings_.taught) {
            changed[i] += now[row] != codes[i / parts][out];
            ++seen[i];
          }
          now[row] = codes[i / parts][out];
        });
      });
    changed_ += std::accumulate(changed.begin(), changed.end(), std::size_t{0});
    cells_ += std::accumulate(seen.begin(), seen.end(), std::size_t{0});
    for (std::size_t b = 0; b < block.size(); ++b) {
      report_.targets[block[b]] = {models[b].kind, models[b].error, models[b].features};
    }
    advance(block.size());
  }

  void apply(int cycle, std::size_t t, const Model& model, std::size_t chunk, std::vector<std::uint8_t>& codes) const {
    const auto c = static_cast<std::size_t>(targets_[t]);
    const Column& column = columns_[c];
    const Binned& binned = state_[c];
    const Stream stream(settings_.seed, settings_.draw_number, static_cast<std::uint64_t>(cycle), c, kDonor);
    if (settings_.draw) {
      if (model.trees.empty()) {
        each_missing(t, chunk, [&](std::size_t row, std::size_t out) { codes[out] = binned.codes[row]; });
        return;
      }
      each_missing(t, chunk, [&](std::size_t row, std::size_t out) {
        const auto& donors = model.donors[static_cast<std::size_t>(model.leaf(model.trees[0], state_, row).leaf)];
        const std::uint32_t donor = donors[stream.below(key(row), static_cast<std::uint32_t>(donors.size()))];
        codes[out] = binned.codes[donor];
        copy(column, outputs_[t].values, out, donor);
      });
      return;
    }
    if (column.nominal) {
      each_missing(t, chunk, [&](std::size_t row, std::size_t out) {
        store(column, outputs_[t].values, out, model.category(state_, row));
      });
      return;
    }
    each_missing(t, chunk, [&](std::size_t row, std::size_t out) {
      const double value = model.predict(state_, row);
      if (!(value > binned.low)) {  // the ends are copied: a double is not exact where 64 bits are
        copy(column, outputs_[t].values, out, binned.lowest);
      } else if (value >= binned.high) {
        copy(column, outputs_[t].values, out, binned.highest);
      } else {
        store(column, outputs_[t].values, out, column.integral() ? std::nearbyint(value) : value);
      }
    });
  }

  std::span<const Column> columns_;
  std::span<const Output> outputs_;
  const Marks& marks_;
  const Settings settings_;
  const Between& between_;
  Report report_;
  Pool& pool_;
  std::vector<int> targets_;
  std::vector<Binned> state_;
  const std::vector<std::vector<std::size_t>>& offsets_;
  const std::vector<std::size_t>& order_;
  const std::size_t leading_;
  std::atomic<bool> stop_{false};
  std::size_t done_ = 0, total_ = 1, changed_ = 0, cells_ = 0;
};

}  // namespace

bool filled(std::span<const Column> columns, std::span<const int> targets, std::span<const Output> outputs,
            std::span<const std::uint64_t> draws, const Marks& marks, const Settings& settings, const Between& between,
            Report& report) {
  Pool all(draws.size() > 1 || worth(columns, targets) ? settings.threads : 1);
  const Common common = common_to(columns, targets, settings.taught, all);
  const std::thread::id asking = std::this_thread::get_id();
  const int inside = std::max(1, settings.threads / static_cast<int>(std::max<std::size_t>(draws.size(), 1)));
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> done{0};
  const auto one = [&](std::size_t d, Pool& pool) {
    const Between told = [&](double share) {
      const double sum = (static_cast<double>(done) + share) / static_cast<double>(draws.size());
      if (std::this_thread::get_id() == asking && !stop && between(sum)) stop = true;
      return stop.load();
    };
    Settings own = settings;
    own.draw_number = draws[d];
    Chain chain(columns, targets, outputs.subspan(d * targets.size(), targets.size()), common, marks, own, told, pool);
    chain.run();
    ++done;
    if (d == 0) report = chain.report();
  };
  if (draws.size() == 1) {
    one(0, all);
  } else {
    all.run(
        draws.size(),
        [&](std::size_t d) {
          Pool alone(inside);
          if (!stop) one(d, alone);
        },
        [&] {
          if (!stop && between(static_cast<double>(done) / static_cast<double>(draws.size()))) stop = true;
        });
  }
  return !stop && !between(1.0);
}

}  // namespace imputedb
