// Properties of the decoders, tested on thousands of synthetic LLMs.
#include "rsd/decode/decoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "rsd/rank/agreement.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using testing::HasSubstr;

// Scores at random, among them huge ones; the same for the same history.
class RandomPolicy final : public RankingPolicy {
 public:
  explicit RandomPolicy(std::uint64_t seed) : seed_(seed) {}
  std::string_view name() const noexcept override { return "random"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    std::mt19937_64 random(seed_ + history.rounds().size());
    std::vector<double> scores(history.n_items());
    for (auto& score : scores)
      score = std::normal_distribution<double>(0, 1e6)(random);
    return scores;
  }

 private:
  std::uint64_t seed_;
};

// Wants the known prefix last and everything else in the worst order.
class HostilePolicy final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "hostile"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const auto row = history.rounds().back().logits.row(0);
    std::vector<double> scores(row.begin(), row.end());
    for (auto& score : scores)
      score = -score;
    for (const ItemId item : history.known())
      scores[item.slot()] = -1e300;
    return scores;
  }
};

struct FixedPolicy final : RankingPolicy {
  explicit FixedPolicy(std::vector<double> fixed) : scores(std::move(fixed)) {}
  std::string_view name() const noexcept override { return "fixed"; }
  Result<std::vector<double>> score(const History&, std::optional<std::size_t>) const override {
    return scores;
  }
  std::vector<double> scores;
};

// A variety of LLMs by number: sizes 1 to 24, tidy and chaotic, every third with ties.
SyntheticOptions llm(std::uint64_t number) {
  SyntheticOptions options{.seed = number, .n_items = 1 + number % 24};
  options.pair_noise = static_cast<double>(number % 5) * 0.7;
  options.prefix_noise = number % 7 == 0 ? 3.0 : 0.0;
  options.quantum = number % 3 == 0 ? 0.5 : 0.0;
  return options;
}

std::vector<std::shared_ptr<const RankingPolicy>> all_policies(std::uint64_t seed) {
  std::vector<std::shared_ptr<const RankingPolicy>> policies{std::make_shared<RandomPolicy>(seed),
                                                             std::make_shared<HostilePolicy>()};
  for (const auto name : policy_names())
    policies.push_back(*policy_by_name(name));
  return policies;
}

Outcome decode(const SyntheticOptions& options, DecodingOptions decoding_options) {
  SyntheticScorer scorer(options);
  auto decoding = Decoding::create(scorer.n_items(), std::move(decoding_options));
  EXPECT_TRUE(decoding.ok());
  auto outcome = run(*decoding, scorer);
  EXPECT_TRUE(outcome.ok()) << outcome.error().message();
  return *std::move(outcome);
}

Ranking target_of(const SyntheticOptions& options) {
  return *Ranking::create(SyntheticScorer(options).target());
}

constexpr std::uint64_t kLlms = 1200;

TEST(Ar, IsTheTargetRankingInOneEncodingLessThanItems) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Outcome outcome = decode(options, {.decoder = DecoderKind::kAr});
    EXPECT_EQ(outcome.ranking, target_of(options)) << "LLM " << number;
    EXPECT_EQ(outcome.encodings, options.n_items - 1);
    EXPECT_EQ(outcome.verified_prefix, options.n_items);
  }
}

TEST(Std, IsTheFirstRowsOrderInOneEncoding) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Outcome outcome = decode(options, {.decoder = DecoderKind::kStd});
    SyntheticScorer scorer(options);
    std::vector<double> row;
    for (std::size_t i = 0; i < options.n_items; ++i)
      row.push_back(scorer.logit({}, ItemId(i)));
    EXPECT_EQ(outcome.ranking, Ranking::by_score(row)) << "LLM " << number;
    EXPECT_EQ(outcome.encodings, options.n_items == 1 ? 0U : 1U);
  }
}

TEST(Exact, IsTheTargetRankingUnderAnyPolicyAndDraft) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Ranking target = target_of(options);
    for (const auto& policy : all_policies(number)) {
      for (const Draft draft : {Draft::kFirstToken, Draft::kInput}) {
        const Outcome outcome =
            decode(options, {.decoder = DecoderKind::kExact, .draft = draft, .policy = policy});
        EXPECT_EQ(outcome.ranking, target) << "LLM " << number << ", policy " << policy->name();
        EXPECT_LE(outcome.encodings, std::max<std::size_t>(options.n_items - 1, 0));
        EXPECT_EQ(outcome.verified_prefix, options.n_items);
      }
    }
  }
}

TEST(Sd, RunToTheEndIsTheTargetRanking) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Outcome outcome = decode(options, {.decoder = DecoderKind::kSd});
    EXPECT_EQ(outcome.ranking, target_of(options)) << "LLM " << number;
    EXPECT_LE(outcome.encodings, options.n_items - 1);
  }
}

TEST(Sd, CutOffKeepsTheKnownPrefixAndTheDraftOrderAfterIt) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    SyntheticScorer scorer(options);
    auto decoding = *Decoding::create(scorer.n_items(), {.decoder = DecoderKind::kSd, .budget = 2});
    const auto outcome = *run(decoding, scorer);
    std::vector<double> row;
    for (std::size_t i = 0; i < options.n_items; ++i)
      row.push_back(scorer.logit({}, ItemId(i)));
    EXPECT_EQ(outcome.ranking, Ranking::with_prefix(decoding.history().known(), row));
    EXPECT_LE(outcome.encodings, 2U);
  }
}

TEST(Rsd, NeverExceedsItsBudgetAndAlwaysGivesAPermutation) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    for (const auto& policy : all_policies(number)) {
      const std::size_t budget = 1 + number % 6;
      const Outcome outcome =
          decode(options, {.decoder = DecoderKind::kRsd,
                           .budget = budget,
                           .draft = number % 2 ? Draft::kInput : Draft::kFirstToken,
                           .policy = policy});
      EXPECT_LE(outcome.encodings, budget);
      const auto ranked = outcome.ranking.items();
      EXPECT_TRUE(Ranking::create({ranked.begin(), ranked.end()}).ok());
      EXPECT_EQ(outcome.ranking.size(), options.n_items);
    }
  }
}

TEST(Rsd, VerifiedPrefixEqualsTheTargetUnderAnyPolicy) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Ranking target = target_of(options);
    for (const auto& policy : all_policies(number)) {
      const Outcome outcome = decode(
          options, {.decoder = DecoderKind::kRsd, .budget = 1 + number % 5, .policy = policy});
      for (std::size_t j = 0; j < outcome.verified_prefix; ++j) {
        ASSERT_EQ(outcome.ranking.at(Position(j)), target.at(Position(j)))
            << "LLM " << number << ", policy " << policy->name();
      }
    }
  }
}

// Theorem 1 of arXiv 2505.20316.
TEST(Rsd, FirstDisagreementStrictlyAdvancesUnderAnyPolicy) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const Ranking target = target_of(options);
    for (const auto& policy : all_policies(number)) {
      SyntheticScorer scorer(options);
      auto decoding =
          *Decoding::create(scorer.n_items(), {.decoder = DecoderKind::kExact, .policy = policy});
      ASSERT_TRUE(run(decoding, scorer).ok());
      std::size_t disagreement = 0;
      for (const Round& round : decoding.history().rounds()) {
        const auto differs = std::ranges::mismatch(round.proposal, target.items()).in1;
        const auto position = static_cast<std::size_t>(differs - round.proposal.begin());
        EXPECT_EQ(round.accepted, position);
        if (&round != &decoding.history().rounds().front()) {
          EXPECT_GT(position, disagreement) << "LLM " << number << ", policy " << policy->name();
        }
        disagreement = position;
      }
    }
  }
}

TEST(Rsd, BudgetOfAsManyEncodingsAsItemsIsExact) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    for (const auto& policy : all_policies(number)) {
      const Outcome outcome = decode(
          options, {.decoder = DecoderKind::kRsd, .budget = options.n_items, .policy = policy});
      EXPECT_EQ(outcome.ranking, target_of(options)) << "LLM " << number;
    }
  }
}

TEST(Rsd, WithTheDefaultPolicyAgreesBetterThanStd) {
  double rsd = 0;
  double std = 0;
  for (std::uint64_t number = 0; number < 300; ++number) {
    const SyntheticOptions options{.seed = number, .n_items = 20};
    const Ranking target = target_of(options);
    std += kendall_tau(decode(options, {.decoder = DecoderKind::kStd}).ranking, target) / 300;
    rsd += kendall_tau(decode(options, {.decoder = DecoderKind::kRsd,
                                        .budget = 3,
                                        .policy = *policy_by_name(kDefaultPolicy)})
                           .ranking,
                       target) /
           300;
  }
  EXPECT_GT(rsd, std);
}

TEST(TopN, StopsWhenTheFirstPositionsAreKnownAndReturnsAPermutation) {
  for (std::uint64_t number = 0; number < kLlms; ++number) {
    const auto options = llm(number);
    const std::size_t top_n = 1 + number % 4;
    for (const auto kind : {DecoderKind::kAr, DecoderKind::kExact, DecoderKind::kSd}) {
      const auto policy = *policy_by_name(kDefaultPolicy);
      const Outcome outcome = decode(options, {.decoder = kind, .top_n = top_n, .policy = policy});
      const Ranking target = target_of(options);
      EXPECT_EQ(outcome.ranking.size(), options.n_items);
      EXPECT_GE(outcome.verified_prefix, std::min(top_n, options.n_items));
      for (std::size_t j = 0; j < outcome.verified_prefix; ++j) {
        EXPECT_EQ(outcome.ranking.at(Position(j)), target.at(Position(j)));
      }
      if (kind == DecoderKind::kAr) {
        EXPECT_LE(outcome.encodings, top_n);
      }
    }
  }
}

TEST(Decoding, ASingleItemIsEncodedOnceIfItIsToBeRead) {
  const SyntheticOptions options{.n_items = 1};
  for (const auto kind : {DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd, DecoderKind::kRsd,
                          DecoderKind::kExact}) {
    for (const auto draft : {Draft::kFirstToken, Draft::kInput}) {
      for (const bool reads : {false, true}) {
        const Outcome outcome = decode(options, {.decoder = kind,
                                                 .budget = 3,
                                                 .draft = draft,
                                                 .top_n = 1,
                                                 .reads_single = reads,
                                                 .policy = *policy_by_name(kDefaultPolicy)});
        EXPECT_EQ(outcome.encodings, reads ? 1U : 0U) << to_string(kind);
        EXPECT_EQ(outcome.verified_prefix, 1U);
      }
    }
  }
}

TEST(Decoding, StopsOnceTheItemIsPlacedThatItIsToStopAt) {
  for (const DecoderKind kind : {DecoderKind::kAr, DecoderKind::kExact, DecoderKind::kRsd}) {
    SCOPED_TRACE(to_string(kind));
    const SyntheticOptions options{.n_items = 20};
    const auto target = SyntheticScorer(options).target();
    for (const std::size_t place : {0U, 5U, 19U}) {
      const Outcome outcome = decode(
          options,
          {.decoder = kind, .budget = 20, .until_placed = target[place], .policy = blend_policy()});
      EXPECT_GT(outcome.verified_prefix, std::min<std::size_t>(place, 18));
      EXPECT_EQ(outcome.ranking.at(Position(place)), target[place]);
      if (kind == DecoderKind::kAr) {
        EXPECT_LE(outcome.encodings, place + 1);
      }
    }
  }
}

TEST(Draft, InputShowsAllPositionsInTheFirstEncoding) {
  SyntheticScorer scorer({.n_items = 12});
  auto decoding = *Decoding::create(12, {.decoder = DecoderKind::kRsd,
                                         .budget = 1,
                                         .draft = Draft::kInput,
                                         .policy = mean_log_prob_policy()});
  ASSERT_TRUE(run(decoding, scorer).ok());
  ASSERT_EQ(decoding.history().rounds().size(), 1U);
  EXPECT_EQ(decoding.history().rounds().front().logits.n_rows(), 12U);
}

TEST(Draft, FirstTokenShowsOneRowInTheFirstEncoding) {
  SyntheticScorer scorer({.n_items = 12});
  auto decoding = *Decoding::create(12, {.decoder = DecoderKind::kRsd,
                                         .budget = 1,
                                         .draft = Draft::kFirstToken,
                                         .policy = mean_log_prob_policy()});
  ASSERT_TRUE(run(decoding, scorer).ok());
  EXPECT_EQ(decoding.history().rounds().front().logits.n_rows(), 1U);
}

TEST(Draft, DefaultShowsAllPositionsWhereThereIsOneEncodingOnly) {
  for (const std::size_t budget : {1U, 2U}) {
    SyntheticScorer scorer({.n_items = 12});
    auto decoding = *Decoding::create(
        12, {.decoder = DecoderKind::kRsd, .budget = budget, .policy = mean_log_prob_policy()});
    ASSERT_TRUE(run(decoding, scorer).ok());
    EXPECT_EQ(decoding.history().rounds().front().logits.n_rows(), budget == 1 ? 12U : 1U);
  }
}

TEST(Decoding, WithoutEncodingsGivesTheInputOrder) {
  const auto decoding = *Decoding::create(5, {.decoder = DecoderKind::kAr});
  EXPECT_EQ(*decoding.ranking(), Ranking::identity(5));
}

TEST(Decoding, SingleCandidateNeedsNoEncoding) {
  for (const auto kind : {DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd, DecoderKind::kRsd,
                          DecoderKind::kExact}) {
    const Outcome outcome =
        decode({.n_items = 1}, {.decoder = kind, .budget = 3, .policy = mean_log_prob_policy()});
    EXPECT_EQ(outcome.encodings, 0U);
    EXPECT_EQ(outcome.verified_prefix, 1U);
  }
}

TEST(Decoding, TwoCandidatesNeedOneEncoding) {
  for (const auto kind : {DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd, DecoderKind::kRsd,
                          DecoderKind::kExact}) {
    const SyntheticOptions options{.n_items = 2};
    const Outcome outcome =
        decode(options, {.decoder = kind, .budget = 3, .policy = mean_log_prob_policy()});
    EXPECT_EQ(outcome.encodings, 1U);
    EXPECT_EQ(outcome.ranking, target_of(options));
  }
}

TEST(Decoding, OnlyTheProposalsChangedPartIsEncoded) {
  SyntheticScorer scorer({.n_items = 20});
  auto decoding = *Decoding::create(20, {.decoder = DecoderKind::kAr});
  const auto outcome = *run(decoding, scorer);
  EXPECT_EQ(outcome.tokens_encoded, scorer.n_prefill_tokens() + 18);  // the last two need no token
}

TEST(Decoding, UnusableScoresOfAPolicyAreErrors) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& scores : {std::vector<double>{1, nan, 2}, std::vector<double>{1, 2}}) {
    SyntheticScorer scorer({.n_items = 3});
    auto decoding = *Decoding::create(3, {.decoder = DecoderKind::kRsd,
                                          .budget = 2,
                                          .policy = std::make_shared<FixedPolicy>(scores)});
    const auto outcome = run(decoding, scorer);
    ASSERT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.error().message(), HasSubstr("policy fixed"));
  }
}

TEST(Decoding, OptionsThatMakeNoSenseAreErrors) {
  const auto policy = mean_log_prob_policy();
  for (const DecodingOptions& bad :
       {DecodingOptions{.decoder = DecoderKind::kRsd, .policy = policy},
        DecodingOptions{.decoder = DecoderKind::kRsd, .budget = 0, .policy = policy},
        DecodingOptions{.decoder = DecoderKind::kRsd, .budget = 1},
        DecodingOptions{.decoder = DecoderKind::kExact},
        DecodingOptions{.decoder = DecoderKind::kAr, .top_n = 0},
        DecodingOptions{.decoder = DecoderKind::kAr, .until_placed = ItemId(99)}}) {
    const auto decoding = Decoding::create(4, bad);
    ASSERT_FALSE(decoding.ok());
    EXPECT_EQ(decoding.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(Decoding::create(0, {.decoder = DecoderKind::kAr}).ok());
}

TEST(Decoder, NamesGoBothWays) {
  for (const auto* name : {"ar", "std", "sd", "rsd", "exact"}) {
    EXPECT_EQ(to_string(*parse_decoder(name)), name);
  }
  EXPECT_THAT(parse_decoder("beam").error().message(), HasSubstr("ar, std, sd, rsd, exact"));
}

TEST(FirstProposal, ThatIsRightIsKnownAfterOneEncoding) {
  const SyntheticScorer llm({.n_items = 12});
  const Ranking target = *Ranking::create(llm.target());
  for (const DecoderKind kind : {DecoderKind::kRsd, DecoderKind::kExact, DecoderKind::kSd}) {
    SyntheticScorer scorer({.n_items = 12});
    auto decoding = *Decoding::create(
        12, {.decoder = kind, .budget = 3, .first_proposal = target, .policy = blend_policy()});
    const Outcome outcome = *run(decoding, scorer);
    EXPECT_EQ(outcome.ranking, target);
    EXPECT_EQ(outcome.encodings, 1U) << to_string(kind);
    EXPECT_EQ(outcome.verified_prefix, 12U);
  }
}

TEST(FirstProposal, MustRankTheRequestsItems) {
  const auto decoding = Decoding::create(
      5, {.budget = 2, .first_proposal = Ranking::identity(4), .policy = blend_policy()});
  ASSERT_FALSE(decoding.ok());
  EXPECT_EQ(decoding.error().message(), "the first proposal ranks 4 items; the request has 5");
}

}  // namespace
}  // namespace rsd
