#include "json/read_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace rsd {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

std::string message_of(std::string_view text, const JsonRules& rules = {}) {
  const auto read = read_json(text, rules);
  return read ? "" : read.error().message();
}

TEST(ReadJson, GivesTheSameValueAsTheLibrary) {
  for (const char* text :
       {"0", "-1", "1.5e3", "18446744073709551615", "true", "null", "\"caf\\u00e9\"", "[]", "{}",
        R"( {"a":[1,{"b":[[],{}]},"c"],"d":{"e":{"f":[null]}},"g":[[1,2],[3]]} )"}) {
    const auto read = read_json(text);
    ASSERT_TRUE(read) << text << ": " << read.error().message();
    EXPECT_EQ(*read, Json::parse(text)) << text;
  }
}

TEST(ReadJson, TellsWhatIsWrongAndWhere) {
  const JsonRules rules{.subject = "the line"};
  EXPECT_THAT(message_of("", rules), HasSubstr("broken JSON at byte 0 of the line: syntax error"));
  EXPECT_THAT(message_of("{\"a\": 1,}", rules), HasSubstr("broken JSON at byte 9 of the line"));
  EXPECT_THAT(message_of("[1] 2", rules), HasSubstr("broken JSON at byte 5"));
  EXPECT_THAT(message_of("\"\xff\"", rules), HasSubstr("invalid UTF-8 at byte offset 1 of the"));
  EXPECT_THAT(message_of(std::string(100'000, '9') + "e99999"), HasSubstr("number overflow"));
  EXPECT_LT(message_of(std::string(100'000, '9') + "e99999").size(), 200U);
  EXPECT_LT(message_of("\"" + std::string(100'000, 'x')).size(), 200U);
}

TEST(ReadJson, DepthIsLimitedAndBracketsInStringsDoNotCount) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(message_of(nested(kMaxJsonDepth)), "");
  EXPECT_THAT(message_of(nested(kMaxJsonDepth + 1)), HasSubstr("deeper than 512 levels at byte"));
  EXPECT_THAT(message_of(nested(1'000'000)), HasSubstr("deeper than 512 levels"));
  EXPECT_THAT(message_of(std::string(1'000'000, '{')), HasSubstr("deeper than 512 levels"));
  EXPECT_THAT(message_of(nested(3), {.max_depth = 2}), HasSubstr("deeper than 2 levels at byte"));
  EXPECT_EQ(message_of(R"({"a":"\"[[[[[[[[[[[["})", {.max_depth = 2}), "");
}

TEST(ReadJson, RepeatedKeysAreRefusedOnlyWhereThatIsAsked) {
  const JsonRules strict{.repeated_keys = JsonRules::RepeatedKeys::kRefused};
  EXPECT_EQ(*read_json(R"({"a":[1],"a":{"b":2}})"), Json::parse(R"({"a":{"b":2}})"));
  EXPECT_EQ(message_of(R"({"a":{"b":1},"b":[{"a":1},{"a":2}]})", strict), "");
  EXPECT_EQ(message_of(R"({"a":[{"b":1,"\u0062":2}]})", strict), "the key \"b\" is repeated");
  EXPECT_LT(message_of("{\"" + std::string(999, 'k') + "\":1,\"" + std::string(999, 'k') + "\":1}",
                       strict)
                .size(),
            200U);
}

// An array of objects is where a parser with a callback takes time in the square of their number.
TEST(ReadJson, AnArrayOfAMillionObjectsIsReadInAPassOverIt) {
  std::string text = "[";
  for (int i = 0; i < 1'000'000; ++i)
    text += "{},";
  text.back() = ']';
  const auto read = read_json(text, {.repeated_keys = JsonRules::RepeatedKeys::kRefused});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 1'000'000U);
}

TEST(ReadJson, WhatIsNoNumberIsNullOnlyWhereThatIsAsked) {
  const JsonRules lenient{.not_numbers = JsonRules::NotNumbers::kNull};
  const std::string text = R"({"a":NaN,"b":[-Infinity, Infinity,NaN],"c":"NaN \" -Infinity"})";
  EXPECT_THAT(message_of(text), HasSubstr("broken JSON at byte 6"));
  const auto read = read_json(text, lenient);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, Json::parse(R"({"a":null,"b":[null,null,null],"c":"NaN \" -Infinity"})"));
  EXPECT_THAT(message_of(R"({"a":NaNo})", lenient), HasSubstr("broken JSON"));
  EXPECT_THAT(message_of(R"({"a":1-Infinity})", lenient), HasSubstr("broken JSON"));
}

TEST(ReadJson, HalvesOfSurrogatePairsAreReplaced) {
  EXPECT_EQ(*read_json(R"(["cut\ud83d","\ude00cut","\uDBFF\uD83D\uDE00","\ud83d\u0041\ud83d"])"),
            Json({"cut\uFFFD", "\uFFFDcut", "\uFFFD\U0001F600", "\uFFFDA\uFFFD"}));
  EXPECT_EQ(*read_json(R"({"\\ud83d":"\\\ud83d\\ud83d","\ud83c\udfae":"\ud83c\udfae\u00e9"})"),
            Json({{"\\ud83d", "\\\uFFFD\\ud83d"}, {"\U0001F3AE", "\U0001F3AE\u00E9"}}));
  for (const std::string broken : {R"(["\ud83)", R"(["\ud83d)", R"(["\ud83"])", R"(["\ud83d\"])",
                                   R"(["\)", R"(["\u)", R"(\ud83d)", R"(["\ud83d\udc"])"})
    EXPECT_THAT(message_of(broken), HasSubstr("broken JSON at byte")) << broken;
  const JsonRules lenient{.not_numbers = JsonRules::NotNumbers::kNull};
  EXPECT_EQ(message_of(R"([NaN,"\ud83d",x)", lenient), message_of(R"([NaN,"\ufffd",x)", lenient));
}

TEST(ReadJson, PlacesOfFaultsAreThoseOfTheTextAsItIs) {
  const JsonRules lenient{.not_numbers = JsonRules::NotNumbers::kNull};
  for (const std::string tail : {"x", "]", "\"", ",", "1 2"}) {
    EXPECT_EQ(message_of("[NaN,-Infinity,NaN," + tail, lenient),
              message_of("[333,-33333333,333," + tail));
  }
}

// ---- CBOR

std::string cbor_of(const Json& json) {
  std::string bytes;
  Json::to_cbor(json, bytes);
  return bytes;
}

TEST(ReadCbor, GivesBackWhatWasWritten) {
  const Json json = {{"a", {1, -2, 3.5, nullptr, true}},
                     {"b", Json::binary({1, 2, 3})},
                     {"c", std::string(70'000, 'x')},
                     {"d", std::numeric_limits<std::uint64_t>::max()},
                     {"e", std::vector<int>(300, 1000)}};
  const auto read = read_cbor(cbor_of(json));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, json);
}

TEST(ReadCbor, EveryCutAndEveryDamagedByteIsAnErrorOrHarmless) {
  const std::string bytes = cbor_of({{"a", {1, 2.5, "text"}}, {"b", Json::binary({1, 2, 3})}});
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(read_cbor(bytes.substr(0, length)).ok()) << length;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(byte);
      if (const auto read = read_cbor(damaged); !read) {
        EXPECT_THAT(read.error().message(), HasSubstr("broken CBOR"));
      }
    }
  }
}

TEST(ReadCbor, LengthsThatNothingFollowsAreErrors) {
  const std::string told_by_64_bits("\x65\x65\x65\x65\x65\x65\x65\x65", 8);
  for (const char array_map_text_or_bytes : {'\x9b', '\xbb', '\x7b', '\x5b'}) {
    const auto read = read_cbor(array_map_text_or_bytes + told_by_64_bits);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message(), HasSubstr("it ends too early"));
  }
}

TEST(ReadCbor, WhateverNestsIsLimited) {
  const std::size_t far_too_deep = 1'000'000;
  const auto nested = [](std::size_t depth) { return std::string(depth - 1, '\x81') + '\x80'; };
  EXPECT_TRUE(read_cbor(nested(kMaxJsonDepth)).ok());
  EXPECT_THAT(read_cbor(nested(kMaxJsonDepth + 1)).error().message(), HasSubstr("512 levels"));
  EXPECT_THAT(read_cbor(nested(far_too_deep)).error().message(), HasSubstr("512 levels"));
  // Arrays, maps, texts and bytes of unknown length, and tags.
  for (const char nesting : {'\x9f', '\xbf', '\x7f', '\x5f', '\xc1'})
    EXPECT_FALSE(read_cbor(std::string(far_too_deep, nesting)).ok()) << nesting;
}

}  // namespace
}  // namespace rsd
