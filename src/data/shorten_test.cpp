#include "data/shorten.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "rsd/core/utf8.h"

namespace rsd {
namespace {

TEST(CountChars, CountsCodePoints) {
  EXPECT_EQ(count_chars(""), 0u);
  EXPECT_EQ(count_chars("abc"), 3u);
  EXPECT_EQ(count_chars("aé東🎮"), 4u);
}

TEST(Shorten, TextThatFitsStaysAsItIs) {
  EXPECT_EQ(shorten("", 1), "");
  EXPECT_EQ(shorten("abc", 3), "abc");
  EXPECT_EQ(shorten("東京都", 3), "東京都");
}

TEST(Shorten, LongerTextEndsInAMarkWithinTheLimit) {
  EXPECT_EQ(shorten("abcd", 3), "ab…");
  EXPECT_EQ(shorten("abcd", 1), "…");
}

TEST(Shorten, CutsBetweenCodePoints) {
  const std::string text = "aé東🎮aé東🎮";
  for (std::size_t limit = 1; limit <= 9; ++limit) {
    const std::string cut = shorten(text, limit);
    EXPECT_FALSE(find_invalid_utf8(cut)) << limit;
    EXPECT_EQ(count_chars(cut), std::min<std::size_t>(limit, 8));
  }
}

TEST(Shorten, BecomesOneLineBeforeItIsMeasured) {
  EXPECT_EQ(shorten("  a\n\n\tb  ", 3), "a b");
  EXPECT_EQ(shorten("\x1b[31mred", 20), "[31mred");
}

TEST(Shorten, RefusesALimitWithoutRoomForTheMark) {
  EXPECT_ANY_THROW((void)shorten("abc", 0));
}

}  // namespace
}  // namespace rsd
