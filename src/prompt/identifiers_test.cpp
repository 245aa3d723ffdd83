#include "rsd/prompt/identifiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "rsd/core/utf8.h"
#include "support/fake_tokenizer.h"

namespace rsd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(IdentifierAlphabet, HasLettersFirstAndNoRepeats) {
  const auto alphabet = identifier_alphabet();
  ASSERT_GT(alphabet.size(), 256U);
  EXPECT_EQ(alphabet[0], "A");
  EXPECT_EQ(alphabet[25], "Z");
  EXPECT_EQ(alphabet[26], "a");
  EXPECT_EQ(alphabet[51], "z");
  EXPECT_EQ(alphabet[52], "Α");  // Greek
  EXPECT_EQ(std::set<std::string>(alphabet.begin(), alphabet.end()).size(), alphabet.size());
}

TEST(IdentifierAlphabet, IsValidUtf8) {
  for (const auto& letters : identifier_alphabet())
    EXPECT_FALSE(find_invalid_utf8(letters)) << letters;
}

TEST(FindIdentifiers, TakesTheSpaceInsideTheToken) {
  const FakeTokenizer tokenizer({" A", " B", " b", " Б"}, FakeFallback::kTwoTokensAByte);
  const auto found = find_identifiers(tokenizer, "Ranking:", 100);
  EXPECT_THAT(found.texts, ElementsAre(" A", " B", " b", " Б"));
  ASSERT_EQ(found.tokens.size(), 4U);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(tokenizer.piece(TokenId(found.tokens[i].value())), found.texts[i]);
}

TEST(FindIdentifiers, TokensAreDistinct) {
  const FakeTokenizer tokenizer({});
  const auto found = find_identifiers(tokenizer, "Ranking:", 100);
  const std::set<IdentifierToken> distinct(found.tokens.begin(), found.tokens.end());
  EXPECT_EQ(found.size(), 52U);  // one-byte letters, bare
  EXPECT_EQ(distinct.size(), found.size());
}

TEST(FindIdentifiers, BareStyleWinsWhereItYieldsMore) {
  const FakeTokenizer tokenizer({" A", "A", "B"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 100).texts, ElementsAre("A", "B"));
}

TEST(FindIdentifiers, TieGoesToTheSpacedStyle) {
  const FakeTokenizer tokenizer({" A", "B"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 100).texts, ElementsAre(" A"));
}

TEST(FindIdentifiers, StopsAtTheLimit) {
  const FakeTokenizer tokenizer({" A", " B", " C"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 2).texts, ElementsAre(" A", " B"));
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 0).texts, IsEmpty());
}

TEST(FindIdentifiers, WhatMergesWithTheAnswerIsNone) {
  const FakeTokenizer tokenizer({" A", " B", ": B"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 9).texts, ElementsAre(" A"));
}

TEST(FindIdentifiers, WhatMergesWithAnotherIdentifierIsNone) {
  const FakeTokenizer tokenizer({" A", " B", " C", " A B"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 9).texts, Not(Contains(" B")));
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 9).texts, ElementsAre(" A", " C"));
}

TEST(FindIdentifiers, MayFindNone) {
  const FakeTokenizer tokenizer({"query"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "Ranking:", 9).texts, IsEmpty());
}

TEST(FindIdentifiers, WorksAfterAnEmptyAnswer) {
  const FakeTokenizer tokenizer({" A"}, FakeFallback::kTwoTokensAByte);
  EXPECT_THAT(find_identifiers(tokenizer, "", 9).texts, ElementsAre(" A"));
}

}  // namespace
}  // namespace rsd
