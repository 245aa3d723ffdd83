#include "agent/pair_features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "rsd/agent/agent_input.h"

namespace rsd {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({
    // Squashed logit differences, a's less b's. Shared rows are those at which both are unplaced.
    "last shared row",      //
    "one row before",       //
    "two rows before",      //
    "mean of shared rows",  //
    "first row",            //
    "best row",             // the row at which the higher of the two has its best rank among the
                            // unplaced items
    "last row",             // whether or not they are unplaced
    "preference",           // the preference of the heuristic `pairwise`
    "place",                // b's place in the proposal less a's, as a share of the items
    "replay",               // at the row where the first of the two is placed
    "replay, broad",        // likewise
    "replay, sharp",        //
    // Equal or almost equal for (a, b) and (b, a): they show how reliable the ones above are.
    "rank",              // a's among the unplaced items, at the last shared row; 0 is the best
    "other's rank",      //
    "best row's place",  //
    "shared rows",       // as a share of the rows
    "replay, likeness",  // of the nearest encoded prefix, at the row where the first of the two is
                         // placed
    "single row",        // 0 or 1; likewise below
    "proposed",          //
    "rounds ago",        //
    "last round",        //
    "share open",        // pending share of all items
});

float squashed(double difference) {
  return static_cast<float>(std::tanh(difference / 2));
}

class PairFeatures {
 public:
  PairFeatures(const PairSources& sources, const RoundPlace& place)
      : view_(sources.round),
        margins_(sources.margins),
        preferences_(sources.preferences),
        replays_(sources.replays),
        place_(place),
        ranks_(n() * view_.n_rows()),
        best_rows_(n() * view_.n_rows()) {
    for (std::size_t row = 0; row < view_.n_rows(); ++row) {
      rank_row(row);
      find_best(row);
    }
  }

  std::vector<float> all() const {
    std::vector<float> values;
    values.reserve(n() * n() * kNames.size());
    for (std::size_t a = 0; a < n(); ++a) {
      for (std::size_t b = 0; b < n(); ++b) {
        const auto of_pair = features(a, b);
        values.insert(values.end(), of_pair.begin(), of_pair.end());
      }
    }
    return values;
  }

 private:
  std::size_t n() const { return view_.n_items(); }
  float rank(std::size_t row, std::size_t item) const { return ranks_[row * n() + item]; }

  // Ranks the unplaced items of a row from 0, the best, to 1, the worst.
  void rank_row(std::size_t row) {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < n(); ++i)
      if (view_.is_left(row, i)) left.push_back(i);
    std::ranges::sort(left, std::greater(), [&](std::size_t i) { return view_.logit(row, i); });
    for (std::size_t place = 1; place < left.size(); ++place) {
      ranks_[row * n() + left[place]] =
          static_cast<float>(place) / static_cast<float>(left.size() - 1);
    }
  }

  // For each item, the row up to this one at which it has its best rank.
  void find_best(std::size_t row) {
    for (std::size_t i = 0; i < n(); ++i) {
      const std::size_t before = row > 0 ? best_rows_[(row - 1) * n() + i] : 0;
      best_rows_[row * n() + i] = rank(row, i) < rank(before, i) ? row : before;
    }
  }

  // The first of the `shared` rows at which the higher of the two has its best rank.
  std::size_t best_row(std::size_t shared, std::size_t a, std::size_t b) const {
    const std::size_t of_a = best_rows_[(shared - 1) * n() + a];
    const std::size_t of_b = best_rows_[(shared - 1) * n() + b];
    if (rank(of_a, a) == rank(of_b, b)) return std::min(of_a, of_b);
    return rank(of_a, a) < rank(of_b, b) ? of_a : of_b;
  }

  double difference(std::size_t row, std::size_t a, std::size_t b) const {
    return static_cast<double>(view_.logit(row, a)) - view_.logit(row, b);
  }

  std::array<float, kNames.size()> features(std::size_t a, std::size_t b) const {
    const std::size_t shared = view_.n_shared_rows(a, b);
    const std::size_t rows = view_.n_rows();
    const auto before_end = [&](std::size_t distance) {
      return shared >= distance ? squashed(difference(shared - distance, a, b)) : 0.0F;
    };
    const bool any = shared > 0;
    const std::size_t best = any ? best_row(shared, a, b) : 0;
    const auto share = [](std::size_t part, std::size_t whole) {
      return static_cast<float>(part) / static_cast<float>(whole);
    };
    const bool proposed = view_.has_proposal();
    return {before_end(1),
            before_end(2),
            before_end(3),
            squashed(margins_(a, b)),
            any ? squashed(difference(0, a, b)) : 0,
            any ? squashed(difference(best, a, b)) : 0,
            squashed(difference(rows - 1, a, b)),
            preferences_[a * n() + b],
            proposed ? share(view_.place(b), n()) - share(view_.place(a), n()) : 0,
            squashed(replays_.usual.margin(a, b)),
            squashed(replays_.broad.margin(a, b)),
            squashed(replays_.sharp.margin(a, b)),
            any ? rank(shared - 1, a) : 0,
            any ? rank(shared - 1, b) : 0,
            any ? share(best, rows) : 0,
            share(shared, rows),
            static_cast<float>(replays_.usual.likeness(
                std::min(replays_.usual.place(a), replays_.usual.place(b)))),
            rows == 1 ? 1.0F : 0.0F,
            proposed ? 1.0F : 0.0F,
            place_.rounds_ago,
            place_.rounds_ago == 0 ? 1.0F : 0.0F,
            place_.share_open};
  }

  const RoundView& view_;
  const Margins& margins_;
  const std::vector<float>& preferences_;
  const Replays& replays_;
  const RoundPlace& place_;
  std::vector<float> ranks_;            // [rows, n]
  std::vector<std::size_t> best_rows_;  // [rows, n]
};

}  // namespace

std::span<const std::string_view> pair_feature_names() {
  return kNames;
}

std::vector<float> pair_features(const PairSources& sources, const RoundPlace& place) {
  return PairFeatures(sources, place).all();
}

}  // namespace rsd
