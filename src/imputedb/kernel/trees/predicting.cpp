#include "trees/predicting.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

namespace imputedb {
namespace {

constexpr std::size_t kAtOnce = 2;  // number of targets whose models are in memory at a time

// The first place of each chunk's missing cells among all of the column.
std::vector<std::size_t> offsets_of(const Column& column) {
  std::vector<std::size_t> offsets((column.rows + kChunk - 1) / kChunk + 1);
  for (std::size_t row = 0; row < column.rows; ++row) offsets[row / kChunk + 1] += column.is_missing(row);
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

template <class Value>
void store(const Column& column, const Binned& binned, double value, const Value* values, Value& out) {
  if (!(value > binned.low))  // the ends are copied, since a double may not represent 64-bit integers
    out = values[binned.lowest];
  else if (value >= binned.high)
    out = values[binned.highest];
  else
    out = static_cast<Value>(column.integral() ? std::nearbyint(value) : value);
}

// The models of a target: of all columns; and of the others, for rows that miss columns missing together with it.
struct Models {
  Model whole;
  std::optional<Model> rest;
  std::vector<std::uint8_t> jointly_missing;  // by column
};

Models models_of(const Job& job, const Target& target, const Settings& settings, const std::atomic<bool>& stop) {
  JointlyMissing found = job.jointly_missing(target, settings);
  Models out{learnt(job.training_data(target, found.most, settings, stop, std::move(found.barred))), std::nullopt,
             std::move(found.some)};
  if (!out.jointly_missing.empty())
    out.rest = learnt(job.training_data(target, target.train_rows, settings, stop, out.jointly_missing));
  return out;
}

template <class Value>
void fill(const Job& job, const Target& target, const Model& model, std::span<const std::uint8_t* const> codes,
          std::span<const std::uint32_t> rows, std::span<const std::size_t> places, const Value* values, Value* out) {
  std::size_t i = 0;
  if (job.column(target).nominal)
    for (const std::int64_t level : model.categories(codes, rows)) out[places[i++]] = static_cast<Value>(level);
  else
    for (const double value : model.predict(codes, rows))
      store(job.column(target), job.codes(target), value, values, out[places[i++]]);
}

void apply(const Job& job, const Target& target, const Models& models, std::span<const std::uint8_t* const> codes,
           std::size_t chunk, std::size_t place, void* out) {
  const Column& column = job.column(target);
  const std::size_t end = std::min(job.rows(), (chunk + 1) * kChunk);
  std::array<std::vector<std::uint32_t>, 2> rows;
  std::array<std::vector<std::size_t>, 2> places;
  for (std::size_t row = chunk * kChunk; row < end; ++row) {
    if (!column.is_missing(row)) continue;
    const bool rest = models.rest && misses(codes, models.jointly_missing, row);
    rows[rest].push_back(static_cast<std::uint32_t>(row));
    places[rest].push_back(place++);
  }
  column.visit([&](const auto* values) {
    using Value = std::remove_cvref_t<decltype(*values)>;
    fill(job, target, models.whole, codes, rows[0], places[0], values, static_cast<Value*>(out));
    if (models.rest) fill(job, target, *models.rest, codes, rows[1], places[1], values, static_cast<Value*>(out));
  });
}

}  // namespace

void predict(const Job& job, std::span<const std::size_t> targets, std::span<void* const> outputs,
             std::span<const std::uint8_t* const> codes, const Settings& settings, Tasks& tasks, Report& report) {
  if (!targets.empty()) report.cycles = std::max(report.cycles, 1);
  for (std::size_t at = 0; at < targets.size() && !tasks.stop(); at += kAtOnce) {
    const auto block = targets.subspan(at, std::min(kAtOnce, targets.size() - at));
    std::vector<Models> models(block.size());
    std::vector<std::vector<std::size_t>> offsets(block.size());
    tasks.each(block.size(), [&](std::size_t b) {
      const Target& target = job.targets[block[b]];
      models[b] = models_of(job, target, settings, tasks.stop());
      offsets[b] = offsets_of(job.column(target));
    });
    if (tasks.stop()) return;
    const std::size_t chunks = offsets[0].size() - 1;
    tasks.each(block.size() * chunks, [&](std::size_t i) {
      const std::size_t b = i / chunks, chunk = i % chunks, t = block[b];
      apply(job, job.targets[t], models[b], codes, chunk, offsets[b][chunk], outputs[t]);
    });
    for (std::size_t b = 0; b < block.size(); ++b)
      report.targets[block[b]] = {models[b].whole.kind, models[b].whole.error, models[b].whole.features};
    tasks.advance(block.size());
  }
}

}  // namespace imputedb
