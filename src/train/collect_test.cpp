#include "rsd/train/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "rsd/rank/presentation.h"
#include "support/decoded_history.h"

namespace rsd {
namespace {

constexpr std::size_t kItems = 12;
constexpr std::size_t kBudget = 3;

Request request_of(const std::string& id) {
  return {.id = id, .query = "q"};
}

std::vector<Trace> collected(const CollectOptions& options, const std::string& id = "r") {
  SyntheticScorer scorer = noisy_scorer(kItems, 3);
  return collect(request_of(id), scorer, options).value();
}

std::vector<Trace> collected(std::uint64_t seed, const std::string& id = "r") {
  return collected({.n_decodings = 8, .budget = kBudget, .seed = seed, .agent = nullptr}, id);
}

// Later items first.
class Reversed final : public RankingPolicy {
 public:
  explicit Reversed(double scale = 1, double shift = 0) : scale_(scale), shift_(shift) {}
  std::string_view name() const noexcept override { return "reversed"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    std::vector<double> scores(history.n_items());
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = scale_ * static_cast<double>(i) + shift_;
    return scores;
  }

 private:
  double scale_, shift_;
};

// The items after the known prefix of the previous round are in descending order.
bool is_reversed(const Trace& trace, std::size_t round) {
  const auto& rounds = trace.history.rounds();
  const auto& proposal = rounds[round].proposal;
  const auto begin = proposal.begin() + static_cast<std::ptrdiff_t>(rounds[round - 1].known);
  return std::is_sorted(begin, proposal.end(), std::greater());
}

TEST(Collect, EveryTraceHasTheTarget) {
  const SyntheticScorer scorer = noisy_scorer(kItems, 3);
  const auto traces = collected(1);
  ASSERT_EQ(traces.size(), 8U);
  for (const Trace& trace : traces) {
    EXPECT_EQ(trace.id, "r");
    EXPECT_EQ(trace.target, Ranking::create(scorer.target()).value());
    EXPECT_EQ(trace.history.rounds().size(), kBudget);
  }
}

TEST(Collect, TwoDecodingsBeginWithThePromptAloneAndTwoWithTheInputOrder) {
  const auto traces = collected(1);
  for (std::size_t n = 0; n < traces.size(); ++n) {
    const auto& first = traces[n].history.rounds().front().proposal;
    if (n / 2 % 2 == 0) {
      EXPECT_TRUE(first.empty()) << n;
      continue;
    }
    ASSERT_EQ(first.size(), kItems) << n;
    EXPECT_TRUE(std::ranges::is_sorted(first)) << n;
  }
}

TEST(Collect, EverySecondDecodingIsTheAgentsTheOthersAreTheHeuristics) {
  const auto traces = collected({.n_decodings = 8,
                                 .budget = kBudget,
                                 .seed = 1,
                                 .agent = std::make_shared<const Reversed>()});
  const auto without = collected(1);
  for (std::size_t n = 0; n < traces.size(); ++n) {
    if (n % 4 == 0) {  // without noise
      EXPECT_TRUE(is_reversed(traces[n], 1)) << n;
      EXPECT_TRUE(is_reversed(traces[n], 2)) << n;
    } else if (n % 2 == 1) {
      EXPECT_EQ(format_trace(traces[n]), format_trace(without[n])) << n;
    } else {
      EXPECT_NE(format_trace(traces[n]), format_trace(without[n])) << n;
    }
  }
}

// The heuristics take turns; the first decoding of four is without noise, the others are not.
TEST(Collect, ProposalsAreTheHeuristicsWithNoiseInThreeOfFour) {
  const std::array heuristics{replay_policy(), blend_policy(), argmax_policy()};
  const std::uint64_t turn = request_generator(/*seed=*/1, "r")();
  const auto traces = collected(1);
  std::size_t n_noisy = 0;
  for (std::size_t n = 0; n < traces.size(); ++n) {
    DecodingOptions options;
    options.budget = kBudget;
    options.draft = n / 2 % 2 == 0 ? Draft::kFirstToken : Draft::kInput;
    options.policy = heuristics[(n + turn) % heuristics.size()];
    SyntheticScorer scorer = noisy_scorer(kItems, 3);
    auto decoding = Decoding::create(kItems, options).value();
    const Ranking plain = run(decoding, scorer).value().ranking;
    if (n % 4 == 0) {
      EXPECT_EQ(traces[n].ranking, plain) << n;
    } else {
      n_noisy += traces[n].ranking != plain ? 1 : 0;
    }
    if (n % 4 == 3) {
      EXPECT_NE(traces[n].ranking, plain) << n << ": with much noise";
    }
  }
  EXPECT_GE(n_noisy, 4U);
}

TEST(Collect, NoiseDependsOnSeedAndIdAlone) {
  const auto noisy = [](const std::vector<Trace>& traces) { return traces[3].ranking; };
  EXPECT_EQ(noisy(collected(1)), noisy(collected(1)));
  EXPECT_NE(noisy(collected(1)), noisy(collected(2)));
  EXPECT_NE(noisy(collected(1)), noisy(collected(1, "other")));
}

// The traces of one heuristic, temperature and draft.
TEST(Collect, EveryDecodingHasNoiseOfItsOwn) {
  const auto traces =
      collected({.n_decodings = 16, .budget = kBudget, .seed = 1, .agent = nullptr});
  EXPECT_NE(traces[3].ranking, traces[15].ranking);
}

TEST(NoisyPolicy, WithoutTemperatureIsThePolicyItself) {
  const History history = decoded_history(kItems, 2, 3);
  const auto policy = noisy_policy(blend_policy(), 0, 7);
  EXPECT_EQ(policy->score(history, 1).value(), blend_policy()->score(history, 1).value());
  EXPECT_EQ(policy->name(), "blend");
}

TEST(NoisyPolicy, StandardisesTheOpenItemsBeforeTheNoise) {
  const History history = decoded_history(kItems, 2, 3);
  const auto scores = [&](double scale, double shift, double temperature) {
    const auto policy = std::make_shared<const Reversed>(scale, shift);
    return noisy_policy(policy, temperature, 7)->score(history, 1).value();
  };
  EXPECT_THAT(scores(1000, -5, 0.3),
              testing::Pointwise(testing::DoubleNear(1e-6), scores(1, 0, 0.3)));
  double sum = 0;
  double squares = 0;
  const auto faint = scores(1, 0, 1e-9);
  double n = 0;
  for (std::size_t i = 0; i < kItems; ++i) {
    if (history.placed()[i]) continue;
    sum += faint[i];
    squares += faint[i] * faint[i];
    ++n;
  }
  EXPECT_NEAR(sum, 0, 1e-6);
  EXPECT_NEAR(squares / n, 1, 1e-6);
}

TEST(NoisyPolicy, DrawsAnewInEveryRoundAndForEverySeed) {
  const auto policy = [](std::uint64_t seed) {
    return noisy_policy(std::make_shared<const Reversed>(), 1, seed);
  };
  const History one = decoded_history(kItems, 1, 3);
  EXPECT_EQ(policy(7)->score(one, 1).value(), policy(7)->score(one, 2).value());
  EXPECT_NE(policy(7)->score(one, 1).value(), policy(8)->score(one, 1).value());
  const auto noise = [&](const History& history) {
    const auto faint = noisy_policy(std::make_shared<const Reversed>(0), 1, 7)->score(history, 1);
    return faint.value();
  };
  EXPECT_NE(noise(one), noise(decoded_history(kItems, 2, 3)));
}

}  // namespace
}  // namespace rsd
