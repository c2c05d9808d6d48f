#include "trees/chain.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "trees/drawing.hpp"
#include "trees/predicting.hpp"

namespace imputedb {
namespace {

constexpr int kBins = 127;  // so many that a threshold is off by less than a hundredth of the rows
constexpr std::size_t kManyCells = 1 << 17;

// Whether more than one thread pays.
bool worth(std::span<const Column> columns, std::size_t targets) {
  return targets > 1 || (!columns.empty() && columns[0].rows * columns.size() >= kManyCells);
}

// The drawn and the predicted targets with missing values, by rising numbers of these in the rows that are learnt from;
// targets without missing values there come last. The order therefore does not depend on other rows to fill.
struct Orders {
  std::vector<std::size_t> drawn, predicted;
};

Orders orders_of(std::span<const Column> columns, std::span<const Target> targets, std::size_t fitted_rows) {
  std::vector<std::size_t> missing(targets.size());
  Orders out;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const Column& column = columns[static_cast<std::size_t>(targets[t].place)];
    for (std::size_t row = 0; row < fitted_rows; ++row) missing[t] += column.is_missing(row);
    bool some = missing[t] > 0;
    for (std::size_t row = fitted_rows; row < column.rows && !some; ++row) some = column.is_missing(row);
    if (some) (targets[t].drawn ? out.drawn : out.predicted).push_back(t);
  }
  for (auto* order : {&out.drawn, &out.predicted})
    std::stable_sort(order->begin(), order->end(),
                     [&](std::size_t a, std::size_t b) { return missing[a] - 1 < missing[b] - 1; });  // 0 becomes most
  return out;
}

}  // namespace

bool filled(std::span<const Column> columns, std::span<const Target> targets, std::span<void* const> outputs,
            std::span<const std::uint64_t> draws, const Marks& marks, const Settings& settings,
            const Progress& progress, Report& report, std::vector<Trace>& trace) {
  trace.resize(draws.size());
  Pool all(draws.size() > 1 || worth(columns, targets.size()) ? settings.threads : 1);
  std::vector<Binned> binned(columns.size());
  all.run(
      columns.size(), [&](std::size_t c) { binned[c] = imputedb::binned(columns[c], kBins, settings.fitted_rows); },
      [] {});
  const Job job{columns, targets, marks, binned};
  const Orders orders = orders_of(columns, targets, settings.fitted_rows);
  const std::thread::id asking = std::this_thread::get_id();
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> done{0};
  const Progress report_progress = [&](double share) {
    const double sum = (static_cast<double>(done) + share) / static_cast<double>(draws.size());
    if (std::this_thread::get_id() == asking && !stop && progress(sum)) stop = true;
    return stop.load();
  };
  std::vector<DrawnColumn> drawn_columns(orders.drawn.size());
  Tasks preparing(all, report_progress, 1);
  Settings first = settings;
  first.draw_number = draws.empty() ? 0 : draws[0];
  preparing.each(drawn_columns.size(),
                 [&](std::size_t d) { drawn_columns[d] = drawn_column(job, orders.drawn[d], draws, first, stop); });
  const auto one = [&](std::size_t d, Pool& pool) {
    Settings own = settings;
    own.draw_number = draws[d];
    const auto mine = outputs.subspan(d * targets.size(), targets.size());
    const auto cycles = static_cast<std::size_t>(cycles_of(job, drawn_columns, settings));
    Report said{0, std::vector<Fitted>(targets.size()), {}};
    Tasks tasks(pool, report_progress, 1 + drawn_columns.size() * (1 + cycles) + orders.predicted.size());
    tasks.advance(1);
    State state = stored(job);
    if (!drawn_columns.empty()) draw(job, drawn_columns, d, mine, own, tasks, said, state);
    predict(job, orders.predicted, mine, state.codes.now, settings, tasks, said);
    trace[d] = std::move(said.trace);
    ++done;
    if (d == 0) report = std::move(said);
  };
  const int inside = std::max(1, settings.threads / static_cast<int>(std::max<std::size_t>(draws.size(), 1)));
  if (draws.size() == 1 && !stop) {
    one(0, all);
  } else {
    all.run(
        draws.size(),
        [&](std::size_t d) {
          Pool alone(inside);
          if (!stop) one(d, alone);
        },
        [&] { report_progress(0); });
  }
  return !stop && !progress(1.0);
}

}  // namespace imputedb
