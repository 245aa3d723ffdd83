#include "llm/block_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace rsd {
namespace {

std::vector<TokenId> tokens_of(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

BlockKey key_of(const std::vector<int>& tokens, const std::vector<int>& head = {1, 2}) {
  return {.scope = {}, .head = tokens_of(head), .tokens = tokens_of(tokens)};
}

BlockPtr block_of(std::size_t n_bytes) {
  return EncodedBlock::of(std::vector<std::uint8_t>(n_bytes), 1);
}

TEST(BlockCache, NeverGivesAnothersBlock) {
  BlockCache cache(1 << 20);
  const BlockPtr block = block_of(10);
  cache.keep(key_of({3, 4}), block);
  EXPECT_EQ(cache.find(key_of({3, 4})), block);
  EXPECT_EQ(cache.find(key_of({3})), nullptr);
  EXPECT_EQ(cache.find(key_of({3, 4, 5})), nullptr);
  EXPECT_EQ(cache.find(key_of({4, 3})), nullptr);
  EXPECT_EQ(cache.find(key_of({3, 4}, {1, 3})), nullptr) << "another head";
  EXPECT_EQ(cache.find(key_of({2, 3, 4}, {1})), nullptr) << "the same tokens, another start";
  BlockKey foreign = key_of({3, 4});
  foreign.scope = "tenant";
  EXPECT_EQ(cache.find(foreign), nullptr) << "another scope";
}

TEST(BlockCache, TheLeastRecentlyUsedGoesFirst) {
  BlockCache cache(3000);
  for (const int name : {1, 2, 3})
    cache.keep(key_of({name}), block_of(700));
  ASSERT_EQ(cache.n_blocks(), 3U);
  EXPECT_NE(cache.find(key_of({1})), nullptr);
  cache.keep(key_of({4}), block_of(700));
  EXPECT_TRUE(cache.contains(key_of({1})));
  EXPECT_FALSE(cache.contains(key_of({2})));
  EXPECT_TRUE(cache.contains(key_of({3})));
  EXPECT_LE(cache.used_bytes(), 3000U);
  EXPECT_EQ(cache.n_evicted(), 1U);
}

TEST(BlockCache, WhoHoldsABlockKeepsIt) {
  BlockCache cache(2000);
  cache.keep(key_of({1}), block_of(1500));
  const BlockPtr held = cache.find(key_of({1}));
  cache.keep(key_of({2}), block_of(1500));
  EXPECT_FALSE(cache.contains(key_of({1})));
  EXPECT_EQ(held->state().size(), 1500U);
}

TEST(BlockCache, WhatIsTooLargeIsNotKept) {
  BlockCache cache(1000);
  cache.keep(key_of({1}), block_of(300));
  cache.keep(key_of({2}), block_of(1000));
  EXPECT_TRUE(cache.contains(key_of({1})));
  EXPECT_EQ(cache.n_blocks(), 1U);
  BlockCache none(0);
  none.keep(key_of({1}), block_of(1));
  EXPECT_EQ(none.n_blocks(), 0U);
  EXPECT_EQ(none.used_bytes(), 0U);
}

TEST(BlockCache, AccountsForEveryByte) {
  BlockCache cache(10'000);
  for (int round = 0; round < 200; ++round) {
    const BlockKey key = key_of({round % 37});
    if (!cache.contains(key)) cache.keep(key, block_of(static_cast<std::size_t>(round % 7) * 200));
    EXPECT_LE(cache.used_bytes(), 10'000U);
  }
  cache.keep(key_of({1000}), block_of(9600));
  EXPECT_EQ(cache.n_blocks(), 1U);
}

}  // namespace
}  // namespace rsd
