#include "agent/pair_features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "rsd/agent/agent_input.h"
#include "support/decoded_history.h"

namespace rsd {
namespace {

float squashed(double difference) {
  return static_cast<float>(std::tanh(difference / 2));
}

// Each feature as its name says, the plainest way: with a look at every row.
class PlainPair {
 public:
  PlainPair(const RoundView& view, std::size_t a, std::size_t b) : view_(view), a_(a), b_(b) {
    while (shared_ < view.n_rows() && view.is_left(shared_, a) && view.is_left(shared_, b))
      ++shared_;
  }

  std::map<std::string_view, float> features() const {
    double sum = 0;
    std::size_t best = 0;
    for (std::size_t row = 0; row < shared_; ++row) {
      sum += difference(row);
      if (higher(row) < higher(best)) best = row;
    }
    const auto rows = static_cast<float>(view_.n_rows());
    const bool any = shared_ > 0;
    return {{"last shared row", before_end(1)},
            {"one row before", before_end(2)},
            {"two rows before", before_end(3)},
            {"mean of shared rows", any ? squashed(sum / static_cast<double>(shared_)) : 0},
            {"first row", any ? squashed(difference(0)) : 0},
            {"best row", any ? squashed(difference(best)) : 0},
            {"last row", squashed(difference(view_.n_rows() - 1))},
            {"rank", any ? rank(shared_ - 1, a_) : 0},
            {"other's rank", any ? rank(shared_ - 1, b_) : 0},
            {"best row's place", any ? static_cast<float>(best) / rows : 0},
            {"shared rows", static_cast<float>(shared_) / rows},
            {"single row", view_.n_rows() == 1 ? 1.0F : 0.0F},
            {"proposed", view_.has_proposal() ? 1.0F : 0.0F},
            {"place", view_.has_proposal() ? (static_cast<float>(view_.place(b_)) -
                                              static_cast<float>(view_.place(a_))) /
                                                 static_cast<float>(view_.n_items())
                                           : 0}};
  }

 private:
  double difference(std::size_t row) const {
    return static_cast<double>(view_.logit(row, a_)) - view_.logit(row, b_);
  }
  float before_end(std::size_t distance) const {
    return shared_ >= distance ? squashed(difference(shared_ - distance)) : 0;
  }
  float rank(std::size_t row, std::size_t item) const {
    std::size_t above = 0;
    std::size_t left = 0;
    for (std::size_t i = 0; i < view_.n_items(); ++i) {
      if (!view_.is_left(row, i)) continue;
      ++left;
      if (view_.logit(row, i) > view_.logit(row, item)) ++above;
    }
    return left > 1 ? static_cast<float>(above) / static_cast<float>(left - 1) : 0;
  }
  float higher(std::size_t row) const { return std::min(rank(row, a_), rank(row, b_)); }

  const RoundView& view_;
  std::size_t a_, b_;
  std::size_t shared_ = 0;
};

class PairFeatures : public ::testing::TestWithParam<std::size_t> {
 protected:
  PairFeatures() {
    for (std::size_t i = 0; i < history_.n_items(); ++i)
      if (!history_.placed()[i]) open_.emplace_back(i);
    const std::size_t n = open_.size();
    for (std::size_t i = 0; i < n * n; ++i)
      preferences_.push_back(static_cast<float>(i) / static_cast<float>(n * n));
    values_ = pair_features({.round = view(),
                             .margins = Margins(view(), 1),
                             .preferences = preferences_,
                             .replays = replays()},
                            {.rounds_ago = kAgo, .share_open = kOpen});
  }

  static constexpr float kAgo = 0.25F;
  static constexpr float kOpen = 0.75F;

  const RoundView& view() {
    if (!view_) view_.emplace(history_.rounds()[GetParam()], open_, history_.n_items());
    return *view_;
  }
  const Replays& replays() {
    if (!replays_) replays_.emplace(distinct_rows(history_.rounds()), history_.known(), open_);
    return *replays_;
  }
  float value(std::size_t a, std::size_t b, std::string_view name) const {
    const auto names = pair_feature_names();
    const auto at = std::ranges::find(names, name);
    EXPECT_NE(at, names.end()) << name;
    const auto number = static_cast<std::size_t>(at - names.begin());
    return values_.at((a * open_.size() + b) * names.size() + number);
  }

  History history_ = decoded_history(12, 3, 5, Draft::kFirstToken);
  std::vector<ItemId> open_;
  std::vector<float> preferences_;
  std::optional<RoundView> view_;
  std::optional<Replays> replays_;
  std::vector<float> values_;
};
// The first round is the prompt alone, with one row.
INSTANTIATE_TEST_SUITE_P(Rounds, PairFeatures, ::testing::Values(0, 1, 2));

TEST_P(PairFeatures, OfTheRoundAreWhatTheirNamesSay) {
  for (std::size_t a = 0; a < open_.size(); ++a)
    for (std::size_t b = 0; b < open_.size(); ++b)
      for (const auto& [name, expected] : PlainPair(view(), a, b).features())
        EXPECT_NEAR(value(a, b, name), expected, 1e-5) << name << " of " << a << " against " << b;
}

TEST_P(PairFeatures, OfTheReplaysAreTheMarginsOfEach) {
  const auto rows = distinct_rows(history_.rounds());
  const ReplayView usual(replay(rows, history_.known()), open_);
  const ReplayView broad(replay(rows, history_.known(), {.sharpness = 0.4}), open_);
  const ReplayView sharp(replay(rows, history_.known(), {.sharpness = 2.5}), open_);
  for (std::size_t a = 0; a < open_.size(); ++a) {
    for (std::size_t b = 0; b < open_.size(); ++b) {
      EXPECT_EQ(value(a, b, "replay"), squashed(usual.margin(a, b)));
      EXPECT_EQ(value(a, b, "replay, broad"), squashed(broad.margin(a, b)));
      EXPECT_EQ(value(a, b, "replay, sharp"), squashed(sharp.margin(a, b)));
      const std::size_t first = std::min(usual.place(a), usual.place(b));
      EXPECT_EQ(value(a, b, "replay, likeness"), static_cast<float>(usual.likeness(first)));
    }
  }
}

TEST_P(PairFeatures, OfTheStateAreThoseThatWereGiven) {
  EXPECT_EQ(value(1, 2, "rounds ago"), kAgo);
  EXPECT_EQ(value(1, 2, "last round"), 0);
  EXPECT_EQ(value(1, 2, "share open"), kOpen);
  EXPECT_EQ(value(1, 2, "preference"), preferences_[1 * open_.size() + 2]);
  const auto last = pair_features({.round = view(),
                                   .margins = Margins(view(), 1),
                                   .preferences = preferences_,
                                   .replays = replays()},
                                  {.rounds_ago = 0, .share_open = kOpen});
  values_ = last;
  EXPECT_EQ(value(1, 2, "last round"), 1);
}

}  // namespace
}  // namespace rsd
