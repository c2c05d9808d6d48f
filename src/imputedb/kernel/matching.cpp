#include "matching.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "normal.hpp"

namespace imputedb {
namespace {

enum Use : std::uint64_t { kNoise = 31, kTie = 32, kDonor = 33, kBootstrap = 34 };

constexpr double kTied = 1e-9;  // of the predictions: less than that is a tie, and a hash says which comes first

// A standard normal number of a row.
double noise(const Stream& stream, std::uint64_t row) {
  std::uint64_t word = stream.bits(row);
  return normal([&word] { return std::exchange(word, mixed(word)); });
}

struct Entry {
  double value;  // a donor's prediction
  std::size_t row;
};

// Sorts by value: by bins of equal width, then each bin.
void sort(std::vector<Entry>& entries, std::vector<Entry>& spare) {
  if (entries.empty()) return;
  const auto ordered = [](const Entry& a, const Entry& b) {
    return a.value != b.value ? a.value < b.value : a.row < b.row;
  };
  const auto [least, most] = std::minmax_element(entries.begin(), entries.end(), ordered);
  const std::size_t bins = entries.size() / 2 + 1;
  const double low = least->value, width = (most->value - low) / static_cast<double>(bins);
  const double scale = width > 0 && std::isfinite(1 / width) ? 1 / width : 0.0;
  const auto bin = [&](double value) {
    const double place = (value - low) * scale;
    return place > 0 ? std::min(static_cast<std::size_t>(place), bins - 1) : 0;
  };
  std::vector<std::size_t> ends(bins + 1);
  for (const Entry& one : entries) ++ends[bin(one.value) + 1];
  for (std::size_t i = 0; i < bins; ++i) ends[i + 1] += ends[i];
  spare.resize(entries.size());
  for (const Entry& one : entries) spare[ends[bin(one.value)]++] = one;
  entries.swap(spare);
  // scattered, each end is where the next bin began
  std::size_t begin = 0;
  for (std::size_t i = 0; i < bins; begin = ends[i++])
    if (ends[i] > begin + 1)
      std::sort(entries.data() + begin, entries.data() + ends[i], ordered);
}

class Matching {
 public:
  Matching(const Sheet& sheet, std::span<const std::int64_t> taught, const Fits& fits, const Match& wanted)
      : sheet_(sheet),
        taught_(taught),
        fits_(fits),
        wanted_(wanted),
        lines_(wanted.targets.size() * sheet.keys.size()) {}

  // Predictions of all targets, but for what earlier ones say of them where they are missing.
  void predict(std::span<const Path> paths) {
    for (std::size_t p = 0; p < sheet_.patterns(); ++p) {
      std::vector<double> weights;
      for (std::size_t t = 0; t < wanted_.targets.size(); ++t) {
        const double* b = coefficients(p, t);
        weights.insert(weights.end(), b, b + sheet_.q);
        for (std::size_t s = 0; s < t; ++s)
          if (missing(p, s)) weights[t * sheet_.q + wanted_.targets[s]] = 0;
      }
      const Effect found = effect_on(paths, sheet_.gone.subspan(p * sheet_.q, sheet_.q), std::move(weights));
      for (std::size_t t = 0; t < wanted_.targets.size(); ++t) predict(p, t, found);
    }
  }

  // The donors of a target's missing values; what they are is said to later targets.
  std::size_t match(std::size_t t, std::int64_t* out) {
    learn(t);
    std::size_t count = 0;
    const Stream pick(wanted_.key, 0, 0, wanted_.targets[t], kDonor);
    for (std::size_t p = 0; p < sheet_.patterns(); ++p) {
      if (!missing(p, t)) continue;
      for (std::size_t row = begin(p); row < end(p); ++row) {
        const std::size_t donor = chosen(line(t)[row], pick.uniform(sheet_.keys[row]));
        out[count++] = static_cast<std::int64_t>(donor);
        const double value = sheet_.x[donor * sheet_.q + wanted_.targets[t]];
        for (std::size_t u = t + 1; u < wanted_.targets.size(); ++u)
          line(u)[row] += coefficients(p, u)[wanted_.targets[t]] * value;
      }
    }
    return count;
  }

 private:
  std::size_t begin(std::size_t p) const { return static_cast<std::size_t>(sheet_.starts[p]); }
  std::size_t end(std::size_t p) const { return static_cast<std::size_t>(sheet_.starts[p + 1]); }
  std::size_t known(std::size_t p) const { return begin(p) + static_cast<std::size_t>(taught_[p]); }
  bool missing(std::size_t p, std::size_t t) const { return sheet_.gone[p * sheet_.q + wanted_.targets[t]]; }
  double* line(std::size_t t) { return lines_.data() + t * sheet_.keys.size(); }

  const double* coefficients(std::size_t p, std::size_t t) const {
    const auto step = std::find(fits_.steps.begin(), fits_.steps.end(), static_cast<int>(wanted_.targets[t]));
    const auto place = static_cast<std::size_t>(step - fits_.steps.begin());
    return (missing(p, t) || wanted_.bootstrap ? fits_.drawn : fits_.estimates).data() + place * sheet_.q;
  }

  IMPUTEDB_WIDE void predict(std::size_t p, std::size_t t, const Effect& found) {
    const std::size_t r = wanted_.targets.size(), last = missing(p, t) ? end(p) : known(p);
    const double* weights = found.weights.data() + t * sheet_.q;
    for (std::size_t row = begin(p); row < last; ++row)
      line(t)[row] = dot(weights, sheet_.x.data() + row * sheet_.q, sheet_.q);
    for (std::size_t u = 0; u <= t; ++u) {
      const double share = found.root[u * r + t];
      if (share == 0) continue;
      const Stream stream(wanted_.key, 0, 0, wanted_.targets[u], kNoise);
      for (std::size_t row = begin(p); row < last; ++row)
        line(t)[row] += share * noise(stream, sheet_.keys[row]);
    }
    std::replace_if(line(t) + begin(p), line(t) + last, [](double value) { return !std::isfinite(value); }, 0.0);
  }

  void learn(std::size_t t) {
    entries_.clear();
    double most = 0;
    const auto each = [&](auto told) {
      for (std::size_t p = 0; p < sheet_.patterns(); ++p)
        for (std::size_t row = begin(p); !missing(p, t) && row < known(p); ++row) told(row);
    };
    each([&](std::size_t row) { most = std::max(most, std::abs(line(t)[row])); });
    least_ = kTied * (most > 0 ? most : 1.0);
    const Stream tie(wanted_.key, 0, 0, wanted_.targets[t], kTie);
    const Stream lot(wanted_.key, 0, 0, wanted_.targets[t], kBootstrap);
    const auto enter = [&](std::size_t row) {
      entries_.push_back({line(t)[row] + least_ * tie.uniform(sheet_.keys[row]), row});
    };
    each([&](std::size_t row) {
      for (int times = wanted_.bootstrap ? poisson_one(lot.uniform(sheet_.keys[row])) : 1; times > 0; --times) enter(row);
    });
    if (entries_.empty()) each(enter);
    sort(entries_, spare_);
  }

  // Of the nearest entries, and of all that are tied with one of them, the one that a uniform number says: where
  // predictors say nothing, every donor is as near.
  std::size_t chosen(double prediction, double uniform) const {
    const auto before = [](const Entry& one, double value) { return one.value < value; };
    const auto after = [](double value, const Entry& one) { return value < one.value; };
    auto right = std::lower_bound(entries_.begin(), entries_.end(), prediction, before), left = right;
    for (std::size_t turn = std::min(wanted_.donors, entries_.size()); turn > 0; --turn) {
      const bool go_left = left != entries_.begin() &&
                           (right == entries_.end() || prediction - left[-1].value <= right->value - prediction);
      go_left ? --left : ++right;
    }
    if (left != entries_.begin() && left->value - left[-1].value <= least_)
      left = std::lower_bound(entries_.begin(), left, left->value - least_, before);
    if (right != entries_.end() && right->value - right[-1].value <= least_)
      right = std::upper_bound(right, entries_.end(), right[-1].value + least_, after);
    return left[static_cast<std::ptrdiff_t>(uniform * static_cast<double>(right - left))].row;
  }

  const Sheet& sheet_;
  const std::span<const std::int64_t> taught_;
  const Fits& fits_;
  const Match& wanted_;
  std::vector<double> lines_;
  std::vector<Entry> entries_, spare_;
  double least_ = 0;
};

}  // namespace

std::size_t matches(const Sheet& sheet, std::span<const std::size_t> targets) {
  std::int64_t count = 0;
  for (std::size_t p = 0; p < sheet.patterns(); ++p)
    for (std::size_t target : targets)
      if (sheet.gone[p * sheet.q + target]) count += sheet.starts[p + 1] - sheet.starts[p];
  return static_cast<std::size_t>(count);
}

void match(const Sheet& sheet, std::span<const std::int64_t> taught, std::span<const Path> paths, const Fits& fits,
           const Match& wanted, std::span<std::int64_t> out) {
  Matching matching(sheet, taught, fits, wanted);
  matching.predict(paths);
  std::size_t at = 0;
  for (std::size_t t = 0; t < wanted.targets.size(); ++t) at += matching.match(t, out.data() + at);
}

}  // namespace imputedb
