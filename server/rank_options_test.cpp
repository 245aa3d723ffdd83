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
    return list_settings(options, defaults_, engine_)->decoding;
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
    EXPECT_EQ(list_settings(bad, defaults_, engine_).error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(RankOptionsTest, ABudgetThatIsNamedIsTheWholeLists) {
  defaults_.decoding.budget.reset();
  EXPECT_EQ(list_settings({}, defaults_, engine_)->budget, std::nullopt);
  EXPECT_EQ(list_settings({.budget = 12}, defaults_, engine_)->budget, 12U);
  defaults_.decoding.budget = 9;
  EXPECT_EQ(list_settings({}, defaults_, engine_)->budget, 9U);
}

TEST_F(RankOptionsTest, WindowsAreTheServersWhereACallChoosesNone) {
  defaults_.windows = {.size = 30, .stride = 10};
  const ListSettings settings = *list_settings({}, defaults_, engine_);
  EXPECT_EQ(settings.windows.size, 30U);
  EXPECT_EQ(settings.windows.stride, 10U);
  const ListSettings own =
      *list_settings({.window = 10, .window_method = "top-down"}, defaults_, engine_);
  EXPECT_EQ(own.windows.size, 10U);
  EXPECT_EQ(own.windows.method, WindowMethod::kTopDown);
  EXPECT_EQ(own.windows.stride, std::nullopt) << "sliding's";
  defaults_.windows = {};
  EXPECT_EQ(list_settings({}, defaults_, engine_)->windows.size, std::nullopt);
  EXPECT_EQ(list_settings({}, defaults_, engine_)->windows.method, std::nullopt);
}

TEST_F(RankOptionsTest, TextsAreReadAsFarAsACallSays) {
  const ListSettings settings = *list_settings({}, defaults_, engine_);
  EXPECT_EQ(settings.max_text_tokens, kDefaultTextTokens);
  EXPECT_EQ(settings.long_texts, LongTexts::kCut);
  const ListSettings own =
      *list_settings({.max_text_tokens = 7, .refuse_cut = true}, defaults_, engine_);
  EXPECT_EQ(own.max_text_tokens, 7U);
  EXPECT_EQ(own.long_texts, LongTexts::kRefuse);
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
