#include "server/api/json_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rsd::server {
namespace {

using testing::HasSubstr;

std::string message_of(const std::string& body, std::size_t max_depth = 8) {
  const auto parsed = parse_body(body, max_depth);
  return parsed ? "" : parsed.error().message();
}

TEST(JsonBody, ReportsWhatIsWrongAndWhere) {
  EXPECT_EQ(message_of("{}"), "");
  EXPECT_THAT(message_of(""), HasSubstr("broken JSON at byte 0"));
  EXPECT_THAT(message_of("{\"a\": 1,}"), HasSubstr("broken JSON at byte 9"));
  EXPECT_THAT(message_of("[1]"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(message_of("{\"a\": \"\xff\"}"),
              HasSubstr("invalid UTF-8 at byte offset 7 of the body"));
  EXPECT_THAT(message_of("{\"a\": 1e999}"), HasSubstr("number overflow"));
}

TEST(JsonBody, WhatIsNoNumberIsNull) {
  const auto parsed = parse_body(R"({"documents":[{"text":"NaN","price":NaN}],"x":-Infinity})", 8);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(*parsed, Json::parse(R"({"documents":[{"text":"NaN","price":null}],"x":null})"));
}

TEST(JsonBody, AKeyStandsOnceInAnObject) {
  EXPECT_EQ(message_of(R"({"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]})"), "");
  EXPECT_EQ(message_of(R"({"a": 1, "b": 2, "a": 3})"), "the key \"a\" is repeated");
  EXPECT_EQ(message_of(R"({"a": [{"b": 1, "\u0062": 2}]})"), "the key \"b\" is repeated");
}

TEST(JsonBody, DepthIsLimitedAndBracketsInStringsDoNotCount) {
  const auto nested = [](std::size_t depth) {
    return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(message_of(nested(8)), "");
  EXPECT_THAT(message_of(nested(9)), HasSubstr("deeper than 8 levels"));
  EXPECT_THAT(message_of(nested(1'000'000)), HasSubstr("deeper than 8 levels"));
  EXPECT_EQ(message_of(R"({"a":"\"[[[[[[[[[[[["})"), "");
}

TEST(Fields, ReportTheFirstFault) {
  const Json object = Json::parse(R"({"n": 0, "s": 5, "extra": 1})");
  Fields fields(object);
  fields.whole_number("n", 10);
  fields.optional_text("s");
  EXPECT_EQ(fields.finish().error().message(), "n is 0; it must be a whole number from 1 to 10");
}

TEST(Fields, UnknownFieldsAreNamed) {
  const Json object = Json::parse(R"({"query": "q", "budgte": 3})");
  Fields fields(object);
  EXPECT_EQ(fields.text("query"), "q");
  EXPECT_EQ(fields.finish().error().message(), "the field \"budgte\" is unknown");
  fields.ignore({"budgte"});
  EXPECT_TRUE(fields.finish());
}

TEST(Fields, NumbersAreHeldToTheirRange) {
  for (const char* bad : {"0", "-1", "1.5", "11", "\"3\"", "true", "[]"}) {
    const Json object = Json::parse(std::string(R"({"n": )") + bad + "}");
    Fields fields(object);
    fields.whole_number("n", 10);
    EXPECT_FALSE(fields.finish()) << bad;
  }
  for (const char* bad : {"0", "-0.5", "101", "\"3\""}) {
    const Json object = Json::parse(std::string(R"({"x": )") + bad + "}");
    Fields fields(object);
    fields.positive_number("x", 100);
    EXPECT_FALSE(fields.finish()) << bad;
  }
  const Json object = Json::parse(R"({"n": null, "x": 0.5, "whole": 3.0, "none": 0})");
  Fields fields(object);
  EXPECT_EQ(fields.whole_number("whole", 10), 3U);
  EXPECT_EQ(fields.whole_number("none", 10, 0), 0U);
  EXPECT_EQ(fields.whole_number("n", 10), std::nullopt);
  EXPECT_EQ(fields.positive_number("x", 100), 0.5);
  EXPECT_TRUE(fields.finish());
}

TEST(Fields, BlankTextIsEmpty) {
  const Json object = Json::parse(R"({"query": " \n\t "})");
  Fields fields(object);
  fields.text("query");
  EXPECT_EQ(fields.finish().error().message(), "query is empty");
}

}  // namespace
}  // namespace rsd::server
