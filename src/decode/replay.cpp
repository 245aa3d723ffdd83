#include "rsd/decode/replay.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "decode/common_prefix.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// The drop of an item's logit once it is placed: of the item that `next` appends to the prefix of
// `row`, relative to the mean change of the items that both leave unplaced. 0 if none is left.
double drop(const PrefixRow& row, const PrefixRow& next) {
  std::vector<bool> placed(row.logits.size(), false);
  for (const ItemId item : next.prefix)
    placed[item.slot()] = true;
  double others = 0;
  std::size_t n_others = 0;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i]) continue;
    others += static_cast<double>(row.logits[i]) - next.logits[i];
    ++n_others;
  }
  if (n_others == 0) return 0;
  const std::size_t item = next.prefix.back().slot();
  return static_cast<double>(row.logits[item]) - next.logits[item] -
         others / static_cast<double>(n_others);
}

double mean_drop(std::span<const PrefixRow> rows) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t r = 0; r + 1 < rows.size(); ++r) {
    const bool follows = rows[r + 1].prefix.data() == rows[r].prefix.data() &&
                         rows[r + 1].prefix.size() == rows[r].prefix.size() + 1;
    if (!follows) continue;
    sum += drop(rows[r], rows[r + 1]);
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

// A prefix as a vector over the items (see ReplayOptions).
class PrefixVector {
 public:
  PrefixVector(std::span<const ItemId> prefix, std::size_t n_items, const ReplayOptions& options)
      : options_(options), recent_(n_items, 0.0), all_(n_items, 0.0) {
    for (const ItemId item : prefix)
      append(item);
  }

  void append(ItemId item) {
    for (double& value : recent_)
      value *= options_.decay;
    recent_[item.slot()] = options_.recency;
    items_.push_back(item);
    for (const ItemId placed : items_)
      all_[placed.slot()] = options_.membership + recent_[placed.slot()];
  }

  std::span<const double> values() const { return all_; }
  std::span<const ItemId> items() const { return items_; }

 private:
  const ReplayOptions& options_;
  std::vector<double> recent_;
  std::vector<double> all_;
  std::vector<ItemId> items_;
};

class Replayer {
 public:
  Replayer(std::span<const PrefixRow> rows, std::span<const ItemId> known,
           const ReplayOptions& options)
      : options_(options), n_(rows.front().logits.size()), rows_(rows), now_(known, n_, options) {
    const double made_up = mean_drop(rows);
    const double trust = 1 / (1 + made_up * made_up);
    for (const PrefixRow& row : rows)
      take(row, made_up, trust);
  }

  Replay run() {
    const std::size_t n_known = now_.items().size();
    Replay replay{.order = {}, .rows = LogitMatrix(n_ - n_known, n_), .distances = {}};
    std::vector<bool> placed(n_, false);
    for (const ItemId item : now_.items())
      placed[item.slot()] = true;
    for (std::size_t j = 0; j < n_ - n_known; ++j) {
      replay.distances.push_back(weigh());
      estimate(replay.rows.row(j));
      const ItemId choice = masked_argmax(replay.rows.row(j), placed);
      placed[choice.slot()] = true;
      now_.append(choice);
    }
    replay.order.assign(now_.items().begin(), now_.items().end());
    return replay;
  }

 private:
  // Rows are shifted to mean 0: only differences within a row mean something.
  void take(const PrefixRow& row, double made_up, double trust) {
    const PrefixVector prefix(row.prefix, n_, options_);
    prefixes_.insert(prefixes_.end(), prefix.values().begin(), prefix.values().end());
    const std::size_t begin = logits_.size();
    logits_.insert(logits_.end(), row.logits.begin(), row.logits.end());
    trust_.resize(begin + n_, 1.0);
    for (const ItemId item : row.prefix) {
      logits_[begin + item.slot()] += made_up;
      trust_[begin + item.slot()] = trust;
    }
    const std::span<double> own(logits_.data() + begin, n_);
    const double mean = std::accumulate(own.begin(), own.end(), 0.0) / static_cast<double>(n_);
    for (double& logit : own)
      logit -= mean;
  }

  // Sets the rows' weights relative to the nearest row, whose weight is 1, and returns its
  // distance.
  double weigh() {
    weights_.resize(rows_.size());
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const auto size = static_cast<double>(rows_[r].prefix.size());
      double distance = options_.length * std::abs(size - static_cast<double>(now_.items().size()));
      const double* prefix = prefixes_.data() + r * n_;
      for (std::size_t i = 0; i < n_; ++i)
        distance += std::abs(prefix[i] - now_.values()[i]);
      weights_[r] = distance;
    }
    const double nearest = *std::ranges::min_element(weights_);
    for (double& weight : weights_)
      weight = std::exp(-options_.sharpness * (weight - nearest));
    return nearest;
  }

  void estimate(std::span<float> row) {
    std::vector<double> sums(n_, 0.0), weights(n_, 0.0);
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      for (std::size_t i = 0; i < n_; ++i) {
        const double weight = weights_[r] * trust_[r * n_ + i];
        sums[i] += weight * logits_[r * n_ + i];
        weights[i] += weight;
      }
    }
    for (std::size_t i = 0; i < n_; ++i)
      row[i] = static_cast<float>(sums[i] / weights[i]);
  }

  const ReplayOptions& options_;
  std::size_t n_;
  std::span<const PrefixRow> rows_;
  PrefixVector now_;
  std::vector<double> prefixes_, logits_, trust_;  // [R, n]
  std::vector<double> weights_;                    // [R]
};

}  // namespace

std::vector<PrefixRow> distinct_rows(std::span<const Round> rounds) {
  std::vector<PrefixRow> rows;
  for (std::size_t t = 0; t < rounds.size(); ++t) {
    const std::span<const ItemId> proposal = rounds[t].proposal;
    std::size_t begin = 0;  // rows before it are shared with an earlier round
    for (const Round& earlier : rounds.first(t)) {
      const std::size_t shared = common_prefix(proposal, earlier.proposal) + 1;
      begin = std::max(begin, std::min(shared, earlier.logits.n_rows()));
    }
    for (std::size_t j = begin; j < rounds[t].logits.n_rows(); ++j)
      rows.push_back({.prefix = proposal.first(j), .logits = rounds[t].logits.row(j)});
  }
  return rows;
}

Replay replay(std::span<const PrefixRow> rows, std::span<const ItemId> known,
              const ReplayOptions& options) {
  RSD_CHECK(!rows.empty() && known.size() <= rows.front().logits.size(), "rows to replay");
  return Replayer(rows, known, options).run();
}

}  // namespace rsd
