#include "rsd/decode/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rsd {
namespace {

TEST(PolicyCosts, AreUnknownUntilThePolicyWasAsked) {
  CostModel costs;
  costs.observe_policy("replay", 20, 1, 3);
  EXPECT_EQ(costs.policy_ms("agent", 20, 1), std::nullopt);
  EXPECT_EQ(costs.policy_ms("replay", 20, 1), 3.0);
}

TEST(PolicyCosts, AreLearnedByItemsAndRounds) {
  CostModel costs;
  for (int repeat = 0; repeat < 3; ++repeat) {
    costs.observe_policy("agent", 20, 1, 2);
    costs.observe_policy("agent", 20, 4, 5);
    costs.observe_policy("agent", 400, 1, 700);
  }
  EXPECT_NEAR(*costs.policy_ms("agent", 20, 1), 2, 0.1);
  EXPECT_NEAR(*costs.policy_ms("agent", 20, 4), 5, 0.1);
  EXPECT_NEAR(*costs.policy_ms("agent", 400, 1), 700, 1);
  EXPECT_NEAR(*costs.policy_ms("agent", 454, 1), 700 * std::pow(454.0 / 400, 3), 10);
}

TEST(PolicyCosts, GrowAsACubeAndShrinkAsASquareWhereNothingElseIsKnown) {
  CostModel costs;
  costs.observe_policy("agent", 100, 2, 10);
  EXPECT_NEAR(*costs.policy_ms("agent", 200, 2), 80, 1e-9);
  EXPECT_NEAR(*costs.policy_ms("agent", 50, 2), 2.5, 1e-9);
  EXPECT_NEAR(*costs.policy_ms("agent", 100, 6), 30, 1e-9);
}

TEST(PolicyCosts, FollowAMachineThatSlowsDown) {
  CostModel costs;
  for (int call = 0; call < 50; ++call)
    costs.observe_policy("agent", 100, 1, 10);
  for (int call = 0; call < 50; ++call)
    costs.observe_policy("agent", 100, 1, 30);
  EXPECT_NEAR(*costs.policy_ms("agent", 100, 1), 30, 2);
}

// Repeated refusals, as of a list of many windows, or of a client with impossible deadlines.
TEST(Doubt, LeavesTheEstimateAsItIs) {
  CostModel costs;
  costs.observe_prefill(100, 1000);
  costs.observe_encoding(1, 10);
  costs.observe_encoding(8, 40);
  costs.observe_policy("agent", 20, 1, 30);
  for (int refusal = 0; refusal < 37; ++refusal)
    for (const auto kind :
         {CostModel::Kind::kPrefill, CostModel::Kind::kEncoding, CostModel::Kind::kPolicy})
      costs.doubt(kind);
  EXPECT_EQ(costs.prefill_ms(100), 1000.0);
  EXPECT_EQ(costs.encoding_ms(1), 10.0);
  EXPECT_NEAR(*costs.encoding_ms(8), 40, 1e-9);
  EXPECT_NEAR(*costs.policy_ms("agent", 20, 1), 30, 1e-9);
}

TEST(Doubt, TakesATenthOffTheTrustInItsKindOnly) {
  CostModel costs;
  costs.doubt(CostModel::Kind::kEncoding);
  costs.doubt(CostModel::Kind::kEncoding);
  EXPECT_NEAR(costs.trust(CostModel::Kind::kEncoding), 0.81, 1e-12);
  EXPECT_EQ(costs.trust(CostModel::Kind::kPolicy), 1.0);
  costs.doubt(CostModel::Kind::kPolicy);
  EXPECT_NEAR(costs.trust(CostModel::Kind::kPolicy), 0.999, 1e-12);
  EXPECT_EQ(costs.trust(CostModel::Kind::kPrefill), 1.0);
}

TEST(Doubt, EndsWithATry) {
  CostModel costs;
  for (const auto kind :
       {CostModel::Kind::kPrefill, CostModel::Kind::kEncoding, CostModel::Kind::kPolicy})
    costs.doubt(kind);
  costs.observe_prefill(100, 1000);
  costs.observe_encoding(4, 10);
  costs.note_vain_try(CostModel::Kind::kPolicy);
  for (const auto kind :
       {CostModel::Kind::kPrefill, CostModel::Kind::kEncoding, CostModel::Kind::kPolicy})
    EXPECT_EQ(costs.trust(kind), 1.0);
}

// A line of 20 + 4 n ms; then the machine is found to be twice as fast.
TEST(Doubt, ThatATryConfirmsScalesTheWholeEstimate) {
  CostModel costs;
  for (int repeat = 0; repeat < 20; ++repeat)
    for (const std::size_t n : {4U, 20U})
      costs.observe_encoding(n, 20 + 4.0 * static_cast<double>(n));
  for (int refusal = 0; refusal < 20; ++refusal)
    costs.doubt(CostModel::Kind::kEncoding);
  costs.observe_encoding(12, 34);
  EXPECT_NEAR(*costs.encoding_ms(12), 34, 0.5);
  EXPECT_NEAR(*costs.encoding_ms(20), 50, 0.5);
  EXPECT_NEAR(*costs.encoding_ms(4), 18, 0.5);
}

// Equal sizes determine no slope: the remembered slope is scaled with the other sums.
TEST(Doubt, ThatATryConfirmsScalesARememberedSlope) {
  CostModel costs;
  for (const std::size_t n : {100U, 200U})
    costs.observe_prefill(n, static_cast<double>(n));
  for (int repeat = 0; repeat < 300; ++repeat)
    costs.observe_prefill(100, 100);
  for (int refusal = 0; refusal < 20; ++refusal)
    costs.doubt(CostModel::Kind::kPrefill);
  costs.observe_prefill(100, 50);
  EXPECT_NEAR(*costs.prefill_ms(100), 50, 1);
  EXPECT_NEAR(*costs.prefill_ms(200), 100, 2);
}

TEST(Doubt, LowersTheEstimateNoFurtherThanTheTryTook) {
  CostModel costs;
  for (int repeat = 0; repeat < 100; ++repeat)
    costs.observe_prefill(100, 1000);
  for (int refusal = 0; refusal < 50; ++refusal)
    costs.doubt(CostModel::Kind::kPrefill);
  costs.observe_prefill(100, 900);
  EXPECT_NEAR(*costs.prefill_ms(100), 900, 1);
}

TEST(Doubt, OfAPolicyThatATryConfirmsScalesItsEstimate) {
  CostModel costs;
  for (int repeat = 0; repeat < 100; ++repeat)
    costs.observe_policy("agent", 20, 1, 100);
  for (int refusal = 0; refusal < 5000; ++refusal)
    costs.doubt(CostModel::Kind::kPolicy);
  costs.observe_policy("agent", 20, 1, 10);
  EXPECT_NEAR(*costs.policy_ms("agent", 20, 1), 10, 0.5);
}

TEST(Doubt, ThatATryRefutesTakesNothingOff) {
  CostModel costs;
  for (int repeat = 0; repeat < 100; ++repeat)
    costs.observe_prefill(100, 1000);
  for (int refusal = 0; refusal < 50; ++refusal)
    costs.doubt(CostModel::Kind::kPrefill);
  costs.observe_prefill(100, 1100);
  EXPECT_GE(*costs.prefill_ms(100), 1000);
}

}  // namespace
}  // namespace rsd
