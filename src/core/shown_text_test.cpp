#include "rsd/core/shown_text.h"

#include <gtest/gtest.h>

#include <string>

#include "rsd/core/utf8.h"

namespace rsd {
namespace {

TEST(ShownText, OfOrdinaryWordsIsTheText) {
  EXPECT_EQ(shown_text(""), "");
  EXPECT_EQ(shown_text("naïve Bücher 東京 🎮"), "naïve Bücher 東京 🎮");
}

TEST(ShownText, MakesNoLineOfItsOwn) {
  EXPECT_EQ(shown_text("gone\nrsd: error: forged\r\n\tx\n"), "gone rsd: error: forged x");
  EXPECT_EQ(shown_text("a\u2028b\u2029c\u0085d\v\fe"), "a b c d e");
  EXPECT_EQ(shown_text(std::string_view("a\0b", 3)), "a b");
}

TEST(ShownText, LeavesTheTerminalAlone) {
  EXPECT_EQ(shown_text("\x1b[31mred\x1b[0m \x1b]0;title\x07"), "[31mred [0m ]0;title");
  EXPECT_EQ(shown_text("\u009b31mred\x7f"), "31mred");
}

TEST(ShownText, DoesNotTurnWhatFollowsAround) {
  EXPECT_EQ(shown_text("user\u202etxt.exe"), "user\uFFFDtxt.exe");
  EXPECT_EQ(shown_text("\u2066a\u2069"), "\uFFFDa\uFFFD");
}

TEST(ShownText, HidesNothing) {
  EXPECT_EQ(shown_text("pay\u200bpal\u00ad\ufeff\u2060\U000E0041"),
            "pay\uFFFDpal\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(shown_text("👩\u200d🔬 می\u200cخواهم"), "👩\u200d🔬 می\u200cخواهم");
}

TEST(ShownText, MayBeAsciiOnly) {
  EXPECT_EQ(shown_text("Grüße\r\n\x1b[2J 東\xff", 100, Letters::kAscii), "Gr??e [2J ??");
  EXPECT_EQ(shown_text("abcdef", 6, Letters::kAscii), "abcdef");
  EXPECT_EQ(shown_text("abcdefg", 6, Letters::kAscii), "abc...");
  EXPECT_EQ(shown_text("abcd", 3, Letters::kAscii), "...");
}

TEST(ShownText, IsUtf8WhateverComes) {
  EXPECT_EQ(shown_text("a\xffz\xc0\x80"), "a\uFFFDz\uFFFD\uFFFD");
  std::string all;
  for (int byte = 0; byte < 256; ++byte)
    all += static_cast<char>(byte);
  EXPECT_FALSE(find_invalid_utf8(shown_text(all, 1000)));
}

TEST(ShownText, IsCutToTheLimit) {
  EXPECT_EQ(shown_text("abc", 3), "abc");
  EXPECT_EQ(shown_text("abc  ", 3), "abc");
  EXPECT_EQ(shown_text("abcd", 3), "ab…");
  EXPECT_EQ(shown_text("東京都です", 3), "東京…");
  EXPECT_EQ(shown_text("abcd", 1), "…");
  EXPECT_EQ(shown_text("ab cd", 3), "ab…");
  const std::string long_text = shown_text(std::string(36'000'000, 'x'));
  EXPECT_EQ(long_text, std::string(kShownTextChars - 1, 'x') + "…");
}

}  // namespace
}  // namespace rsd
