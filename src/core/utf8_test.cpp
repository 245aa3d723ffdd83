#include "rsd/core/utf8.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "rsd/core/check.h"

namespace rsd {
namespace {

using namespace std::string_literals;

constexpr char32_t kEndOfUnicode = 0x110000;

bool is_surrogate(char32_t c) {
  return c >= 0xD800 && c <= 0xDFFF;
}

// The bytes of `c` in the form of `length` bytes, also where that form is too long for it.
std::string encode_in(std::size_t length, char32_t c) {
  if (length == 1) return {static_cast<char>(c)};
  std::string bytes(length, '\0');
  for (std::size_t i = length - 1; i > 0; --i, c >>= 6) {
    bytes[i] = static_cast<char>(0x80U | (c & 0x3FU));
  }
  const unsigned mark = 0xFFU & ~(0xFFU >> length);
  bytes[0] = static_cast<char>(mark | c);
  return bytes;
}

std::size_t shortest_length(char32_t c) {
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

std::string encode(char32_t c) {
  return encode_in(shortest_length(c), c);
}

bool is_valid(std::string_view text) {
  return !find_invalid_utf8(text);
}

TEST(FindInvalidUtf8, ValidTextHasNoFault) {
  EXPECT_EQ(find_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("plain"), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("\0 is a character too"s), std::nullopt);
  EXPECT_EQ(find_invalid_utf8("na\xC3\xAFve \xE2\x82\xAC \xF0\x9F\x98\x80"), std::nullopt);
}

TEST(FindInvalidUtf8, OffsetOfTheFirstIllFormedSequenceIsTold) {
  EXPECT_EQ(find_invalid_utf8("\xFF"), 0U);
  EXPECT_EQ(find_invalid_utf8("ab\x80"), 2U);
  EXPECT_EQ(find_invalid_utf8("\xC3\xA9\xE2\x82"), 2U);    // the start of the cut-off sequence
  EXPECT_EQ(find_invalid_utf8("a\xF0\x9F\x98z\xFF"), 1U);  // not the later one
}

TEST(FindInvalidUtf8, EveryScalarValueIsValidAndEverySurrogateIsNot) {
  for (char32_t c = 0; c < kEndOfUnicode; ++c) {
    ASSERT_EQ(is_valid(encode(c)), !is_surrogate(c)) << std::hex << static_cast<unsigned>(c);
  }
}

TEST(FindInvalidUtf8, EveryCodePointBeyondUnicodeIsInvalid) {
  for (char32_t c = kEndOfUnicode; c < 0x200000; ++c) {
    ASSERT_FALSE(is_valid(encode(c))) << std::hex << static_cast<unsigned>(c);
  }
}

TEST(FindInvalidUtf8, EveryOverlongFormIsInvalid) {
  for (std::size_t length = 2; length <= 4; ++length) {
    for (char32_t c = 0; shortest_length(c) < length; ++c) {
      ASSERT_FALSE(is_valid(encode_in(length, c)))
          << length << " bytes, " << std::hex << static_cast<unsigned>(c);
    }
  }
}

TEST(FindInvalidUtf8, EveryTruncatedSequenceIsInvalidAtTheEndAndBeforeOtherText) {
  for (const char32_t c : {0x80U, 0x7FFU, 0x800U, 0xFFFFU, 0x10000U, 0x10FFFFU}) {
    const std::string whole = encode(c);
    for (std::size_t kept = 1; kept < whole.size(); ++kept) {
      EXPECT_EQ(find_invalid_utf8("a" + whole.substr(0, kept)), 1U);
      // The remaining bytes follow the view in memory and must not be read.
      EXPECT_EQ(find_invalid_utf8(std::string_view(whole).substr(0, kept)), 0U);
      EXPECT_EQ(find_invalid_utf8("a" + whole.substr(0, kept) + "b"), 1U);
      EXPECT_EQ(find_invalid_utf8("a" + whole.substr(0, kept) + whole), 1U);
    }
  }
}

TEST(FindInvalidUtf8, StrayContinuationAndUnusedLeadBytesAreInvalid) {
  for (unsigned byte = 0x80; byte <= 0xFF; ++byte) {
    const std::string lone(1, static_cast<char>(byte));
    EXPECT_FALSE(is_valid(lone)) << std::hex << byte;
  }
  for (const unsigned byte : {0x80U, 0xBFU, 0xC0U, 0xC1U, 0xF5U, 0xF8U, 0xFCU, 0xFEU, 0xFFU}) {
    const std::string unused(1, static_cast<char>(byte));
    EXPECT_EQ(find_invalid_utf8(unused + "\x80\x80\x80\x80\x80"), 0U) << std::hex << byte;
  }
}

TEST(SingleLine, RunsOfWhiteSpaceBecomeOneSpaceAndTheEndsAreTrimmed) {
  EXPECT_EQ(single_line(""), "");
  EXPECT_EQ(single_line(" \t\r\n "), "");
  EXPECT_EQ(single_line("one"), "one");
  EXPECT_EQ(single_line("  one \t two\r\n\r\nthree\n"), "one two three");
}

TEST(SingleLine, ControlCharactersCountAsWhiteSpace) {
  EXPECT_EQ(single_line("a\0b\x1B[0m\x7F"
                        "c"s),
            "a b [0m c");
  EXPECT_EQ(single_line("a\xC2\x85\xC2\x9F"
                        "b"),
            "a b");
}

TEST(SingleLine, UnicodeSeparatorsCountAsWhiteSpace) {
  for (const char32_t c : {0x0085U, 0x00A0U, 0x1680U, 0x2000U, 0x2007U, 0x200AU, 0x2028U, 0x2029U,
                           0x202FU, 0x205FU, 0x3000U}) {
    EXPECT_EQ(single_line(encode(c) + "a" + encode(c) + " " + encode(c) + "b" + encode(c)), "a b")
        << std::hex << static_cast<unsigned>(c);
  }
}

TEST(SingleLine, FormatCharactersAndNeighboursOfTheSeparatorsStay) {
  for (const char32_t c :
       {0x00A1U, 0x00ADU, 0x167FU, 0x1681U, 0x1FFFU, 0x200BU, 0x200DU, 0x200FU, 0x2027U, 0x202AU,
        0x202EU, 0x2030U, 0x205EU, 0x2060U, 0x2FFFU, 0x3001U, 0xFEFFU}) {
    const std::string text = "a" + encode(c) + "b";
    EXPECT_EQ(single_line(text), text) << std::hex << static_cast<unsigned>(c);
  }
}

TEST(SingleLine, LongCharactersSurviveWhole) {
  EXPECT_EQ(single_line("\xF0\x9F\x98\x80\n\xE6\xBC\xA2\xE5\xAD\x97\t\xC3\xA9"),
            "\xF0\x9F\x98\x80 \xE6\xBC\xA2\xE5\xAD\x97 \xC3\xA9");
}

TEST(SingleLine, IllFormedTextIsABrokenInvariant) {
  EXPECT_THROW(single_line("a\xFF"), LogicError);
  EXPECT_THROW(single_line("a\xE2\x80"), LogicError);
}

TEST(SingleLineProperty, ResultIsValidAndALineAndDoesNotChangeAgain) {
  constexpr std::uint32_t kSeed = 17;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  constexpr std::array<char32_t, 12> kAlphabet = {'a',    ' ',    '\n',   0,      0x85,   0xA0,
                                                  0x2028, 0x2029, 0x3000, 0x200D, 0x6F22, 0x1F600};
  std::mt19937 random(kSeed);
  for (int repeat = 0; repeat < 2000; ++repeat) {
    std::string text;
    for (std::size_t left = random() % 30; left > 0; --left) {
      text += encode(kAlphabet[random() % kAlphabet.size()]);
    }
    const std::string line = single_line(text);
    EXPECT_TRUE(is_valid(line));
    EXPECT_LE(line.size(), text.size());
    EXPECT_EQ(single_line(line), line);
    EXPECT_EQ(line.find_first_of("\n\0"s), std::string::npos);
    EXPECT_EQ(line.find("  "), std::string::npos);
    EXPECT_FALSE(line.starts_with(' ') || line.ends_with(' '));
  }
}

}  // namespace
}  // namespace rsd
