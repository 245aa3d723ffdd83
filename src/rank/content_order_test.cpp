#include "rsd/rank/content_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace rsd {
namespace {

Request request_of(const std::vector<std::string>& texts) {
  Request request;
  for (const auto& text : texts)
    request.candidates.push_back({.id = std::to_string(request.candidates.size()),
                                  .text = text,
                                  .first_stage_score = std::nullopt});
  return request;
}

// Adapters are tuned on it: tools/finetune/test_prompt.py holds the same values.
TEST(TextDigest, IsTheSameInEveryVersion) {
  EXPECT_EQ(text_digest(""), 0xefd01f60ba992926U);
  EXPECT_EQ(text_digest("a"), 0x82a2a958a9bece5bU);
  EXPECT_EQ(text_digest("one text"), 0x6dffe1f6bcf9df07U);
  EXPECT_EQ(text_digest("naïve café"), 0x1a8071e8d684cd3cU);
}

TEST(ContentOrder, DependsOnTheTextsAlone) {
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i)
    texts.push_back("text number " + std::to_string(i));
  const auto in_order = [](const Request& request) {
    std::vector<std::string> ordered;
    for (const ItemId item : content_order(request))
      ordered.push_back(request.candidates[item.slot()].text);
    return ordered;
  };
  const auto expected = in_order(request_of(texts));
  std::mt19937 generator(3);
  for (int shuffle = 0; shuffle < 10; ++shuffle) {
    std::ranges::shuffle(texts, generator);
    EXPECT_EQ(in_order(request_of(texts)), expected);
  }
}

TEST(ContentOrder, EqualTextsKeepTheirOrder) {
  const auto order = content_order(request_of({"x", "y", "x", "x"}));
  std::vector<ItemId> equal;
  std::ranges::copy_if(order, std::back_inserter(equal),
                       [](ItemId item) { return item != ItemId(1); });
  EXPECT_EQ(equal, (std::vector{ItemId(0), ItemId(2), ItemId(3)}));
}

// Texts that differ in their last character only must not come in alphabetical order.
TEST(ContentOrder, MixesWhatIsAlike) {
  std::vector<std::string> texts;
  for (char c = 'a'; c <= 'z'; ++c)
    texts.push_back(std::string("candidate ") + c);
  const auto order = content_order(request_of(texts));
  std::size_t n_rising = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i + 1; j < order.size(); ++j)
      n_rising += order[i] < order[j] ? 1 : 0;
  const std::size_t n_pairs = order.size() * (order.size() - 1) / 2;
  EXPECT_GT(n_rising, n_pairs / 3);
  EXPECT_LT(n_rising, n_pairs * 2 / 3);
}

}  // namespace
}  // namespace rsd
