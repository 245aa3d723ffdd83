#include "server/api/rank_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "server/api/rerank_shape.h"

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
  RankOptions chosen(const Json& body) const {
    RankOptions options = defaults_;
    Fields fields(body);
    read_all_options(fields, options);
    const auto read = fields.finish();
    EXPECT_TRUE(read) << (read ? "" : read.error().message());
    return options;
  }
  std::string fault(const Json& body) const {
    RankOptions options = defaults_;
    Fields fields(body);
    read_all_options(fields, options);
    const auto read = fields.finish();
    return read ? "" : read.error().message();
  }
  RankOptions reranked(Json body) const {
    body["query"] = "q";
    body["documents"] = {"a", "b"};
    return parse_rerank(body, RerankRoute::kV1, {.defaults = defaults_}).call.value().options;
  }

  RankOptions defaults_{.budget = 2, .deadline = std::chrono::milliseconds(70), .policy = "blend"};
};

TEST_F(RankOptionsTest, WhatACallDoesNotChooseIsTheServersDefault) {
  const RankOptions options = chosen(Json::object());
  EXPECT_EQ(options.decoder, DecoderKind::kRsd);
  EXPECT_EQ(options.budget, 2U);
  EXPECT_EQ(options.deadline->count(), 70);
  EXPECT_EQ(options.policy, "blend");
}

TEST_F(RankOptionsTest, FieldsTakeTheDefaultsPlace) {
  const RankOptions options = chosen({{"decoder", "sd"},
                                      {"budget", 5},
                                      {"deadline_ms", 12.5},
                                      {"top_n", 3},
                                      {"draft", "input"},
                                      {"min_score", 0},
                                      {"policy", "agent"}});
  EXPECT_EQ(options.min_score, 0);
  EXPECT_EQ(options.decoder, DecoderKind::kSd);
  EXPECT_EQ(options.budget, 5U);
  EXPECT_EQ(options.deadline->count(), 12.5);
  EXPECT_EQ(options.top_n, 3U);
  EXPECT_EQ(options.draft, Draft::kInput);
  EXPECT_EQ(options.policy, "agent");
}

TEST_F(RankOptionsTest, UnknownNamesAreErrors) {
  for (const char* field : {"decoder", "draft", "window_method"})
    EXPECT_THAT(fault({{field, "best"}}), testing::HasSubstr("best")) << field;
  EXPECT_EQ(check(chosen({{"window", 20}, {"stride", 20}})).error().code(),
            ErrorCode::kInvalidArgument);
}

TEST_F(RankOptionsTest, AMinimumScoreIsAProbability) {
  for (const Json& bad : {Json(-0.01), Json(1.01), Json("high"), Json(true)})
    EXPECT_THAT(fault({{"min_score", bad}}), testing::HasSubstr("a number from 0 to 1.0")) << bad;
}

TEST_F(RankOptionsTest, WindowsAreTheServersWhereACallChoosesNone) {
  defaults_.windows = {.size = 30, .stride = 10};
  EXPECT_EQ(chosen(Json::object()).windows.size, 30U);
  EXPECT_EQ(chosen(Json::object()).windows.stride, 10U);
  const WindowChoice own = chosen({{"window", 10}, {"window_method", "top-down"}}).windows;
  EXPECT_EQ(own.size, 10U);
  EXPECT_EQ(own.method, WindowMethod::kTopDown);
  EXPECT_EQ(own.stride, std::nullopt) << "sliding's";
}

TEST_F(RankOptionsTest, TextsAreReadAsFarAsACallSays) {
  EXPECT_EQ(reranked(Json::object()).max_text_tokens, kDefaultTextTokens);
  EXPECT_EQ(reranked(Json::object()).long_texts, LongTexts::kCut);
  EXPECT_EQ(reranked({{"max_tokens_per_doc", 7}}).max_text_tokens, 7U);
  EXPECT_EQ(reranked({{"max_tokens_per_doc", 7}, {"max_doc_length", 9}}).max_text_tokens, 7U);
  EXPECT_EQ(reranked({{"max_doc_length", 9}}).max_text_tokens, 9U);
  EXPECT_EQ(reranked({{"truncate", false}}).long_texts, LongTexts::kRefuse);
}

TEST_F(RankOptionsTest, FieldsCountMoreThanHeaders) {
  ASSERT_TRUE(read_option_headers(
      headers({{"X-RSD-Decoder", "sd"}, {"X-RSD-Budget", "4"}, {"X-RSD-Deadline-Ms", "12.5"}}),
      defaults_));
  const RankOptions options = chosen({{"budget", 7}});
  EXPECT_EQ(options.decoder, DecoderKind::kSd);
  EXPECT_EQ(options.budget, 7U);
  EXPECT_EQ(options.deadline->count(), 12.5);
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
