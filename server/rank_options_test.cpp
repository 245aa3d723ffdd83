#include "rank_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "synthetic_engine_test.h"

namespace rsd::server {
namespace {

HeaderOf headers(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

class RankOptionsTest : public testing::Test {
 protected:
  DecodingOptions chosen(const RankOptions& options) const {
    return rank_plan(options, defaults_, engine_)->list.decoding;
  }

  Gate gate_;
  SyntheticEngine engine_{gate_};
  RankDefaults defaults_{
      .decoding = {.decoder = DecoderKind::kRsd, .budget = 2, .policy = blend_policy()},
      .budget = 3,
      .deadline_ms = std::nullopt,
      .windows = {}};
};

TEST_F(RankOptionsTest, WhatIsNotChosenIsTheServersDefault) {
  const DecodingOptions options = chosen({});
  EXPECT_EQ(options.decoder, DecoderKind::kRsd);
  EXPECT_EQ(options.budget, 2U);
  EXPECT_EQ(options.policy, defaults_.decoding.policy);
}

TEST_F(RankOptionsTest, AnotherDecoderTakesOnlyWhatItUses) {
  EXPECT_EQ(chosen({.decoder = "ar", .budget = 5}).budget, std::nullopt);
  EXPECT_EQ(chosen({.decoder = "ar"}).policy, nullptr);
  EXPECT_EQ(chosen({.decoder = "sd", .budget = 5}).budget, 5U);
  defaults_.decoding = {.decoder = DecoderKind::kAr};
  EXPECT_EQ(chosen({.decoder = "rsd"}).budget, 3U);
  EXPECT_NE(chosen({.decoder = "exact"}).policy, nullptr);
}

TEST_F(RankOptionsTest, UnknownNamesAreErrors) {
  for (const RankOptions& bad :
       {RankOptions{.decoder = "best"}, RankOptions{.draft = "x"}, RankOptions{.policy = "x"},
        RankOptions{.window_method = "x"}, RankOptions{.window = 20, .stride = 20}}) {
    EXPECT_EQ(rank_plan(bad, defaults_, engine_).error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(RankOptionsTest, ABudgetThatIsNamedIsTheWholeLists) {
  defaults_.decoding.budget.reset();
  EXPECT_EQ(rank_plan({}, defaults_, engine_)->list.budget, std::nullopt);
  EXPECT_EQ(rank_plan({.budget = 12}, defaults_, engine_)->list.budget, 12U);
  defaults_.decoding.budget = 9;
  EXPECT_EQ(rank_plan({}, defaults_, engine_)->list.budget, 9U);
}

TEST_F(RankOptionsTest, WindowsAreTheServersWhereACallChoosesNone) {
  defaults_.windows = {.size = 30, .stride = 10};
  const RankPlan plan = *rank_plan({}, defaults_, engine_);
  EXPECT_TRUE(plan.always_windows);
  EXPECT_EQ(plan.list.windows.size, 30U);
  const RankPlan own = *rank_plan({.window = 10, .window_method = "top-down"}, defaults_, engine_);
  EXPECT_EQ(own.list.windows.size, 10U);
  EXPECT_EQ(own.list.windows.method, WindowMethod::kTopDown);
  defaults_.windows = {};
  EXPECT_FALSE(rank_plan({}, defaults_, engine_)->always_windows);
}

TEST_F(RankOptionsTest, HeadersFillInWhatNoFieldTells) {
  RankOptions options{.budget = 7};
  const auto read = read_option_headers(
      headers({{"X-RSD-Decoder", "sd"}, {"X-RSD-Budget", "2"}, {"X-RSD-Deadline-Ms", "12.5"}}),
      options);
  ASSERT_TRUE(read);
  EXPECT_EQ(options.decoder, "sd");
  EXPECT_EQ(options.budget, 7U);
  EXPECT_EQ(options.deadline_ms, 12.5);
}

TEST_F(RankOptionsTest, BadHeadersAreNamed) {
  RankOptions options;
  EXPECT_EQ(read_option_headers(headers({{"X-RSD-Budget", "0"}}), options).error().message(),
            "X-RSD-Budget is 0; it must be a whole number from 1 to 1000000");
  EXPECT_EQ(read_option_headers(headers({{"X-RSD-Budget", "a\xff"}}), options).error().message(),
            "X-RSD-Budget is \"a?\"; it must be a whole number from 1 to 1000000");
  EXPECT_FALSE(read_option_headers(headers({{"X-RSD-Deadline-Ms", "nan"}}), options));
}

}  // namespace
}  // namespace rsd::server
