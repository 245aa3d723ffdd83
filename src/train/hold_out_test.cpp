#include "rsd/train/hold_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace rsd {
namespace {

Request query(const std::string& id, const std::string& text) {
  return {.id = id, .query = text};
}

Request user(const std::string& id, std::vector<std::string> history) {
  return {.id = id, .task = Task::kRecommendation, .query = {}, .history = std::move(history)};
}

std::vector<std::string> keys(std::size_t n) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < n; ++i)
    result.push_back(split_key(query(std::to_string(i), "query " + std::to_string(i))));
  return result;
}

TEST(SplitKey, IsOfWhatIsAskedAlone) {
  Request request = query("quora-train/17", "how do bees make honey?");
  request.candidates = {{.id = "a", .text = "text", .first_stage_score = std::nullopt}};
  const std::string key = split_key(request);
  EXPECT_EQ(split_key(query("part-of-it/17-s1/3", request.query)), key);
  EXPECT_EQ(split_key(query("1", "How do  bees make honey? ")), key);
  EXPECT_NE(split_key(query("quora-train/17", "how do bees make wax?")), key);
  EXPECT_NE(split_key(query("1", "how do bees makehoney?")), key);
}

TEST(SplitKey, UsersAreOneHoweverLongTheirHistories) {
  const std::string key = split_key(user("u1", {"Alien", "Brazil"}));
  EXPECT_EQ(split_key(user("u1-later", {"Alien", "Brazil", "Casablanca"})), key);
  EXPECT_NE(split_key(user("u1", {"Brazil", "Alien"})), key);
}

TEST(SplitKey, OfAnIdAloneTakesWindowsPiecesAndFilesTogether) {
  for (const char* id : {"q7", "q7/1", "q7/12", "file/q7", "other/q7/3", "q7-s0", "q7-s13",
                         "file/q7-s2", "file/q7-s2/4"})
    EXPECT_EQ(split_key_of_id(id), "q7") << id;
  EXPECT_EQ(split_key_of_id("test/17"), "test") << "it may be a window of \"test\"";
  EXPECT_EQ(split_key_of_id("17/2"), "17");
  EXPECT_EQ(split_key_of_id("17"), "17");
  for (const char* id : {"", "-s1", "a-s", "a-t1", "s1"})
    EXPECT_EQ(split_key_of_id(id), id);
}

TEST(HoldOut, EachRequestIsOnOneSide) {
  for (const std::size_t n : {0U, 1U, 7U, 400U}) {
    const HoldOut split = hold_out(keys(n));
    std::vector<std::size_t> all;
    std::ranges::merge(split.training, split.held_out, std::back_inserter(all));
    ASSERT_EQ(all.size(), n);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(all[i], i);
  }
}

TEST(HoldOut, IsAboutAnEighthOfManyRequests) {
  const std::size_t n_held_out = hold_out(keys(4000)).held_out.size();
  EXPECT_GT(n_held_out, 440U);
  EXPECT_LT(n_held_out, 560U);
}

// However few they are: nothing but a key itself says on which side it is.
TEST(HoldOut, EveryKeyAloneIsOnTheSideThatItHasAmongAll) {
  const auto all = keys(400);
  const HoldOut split = hold_out(all);
  const std::set<std::size_t> held(split.held_out.begin(), split.held_out.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(hold_out({&all[i], 1}).held_out.size(), held.count(i)) << i;
  const auto pair = std::vector{all[*held.begin()], all[*std::next(held.begin())]};
  EXPECT_EQ(hold_out(pair).held_out.size(), 2U) << "none of them is trained on to have some";
}

TEST(HoldOut, EqualKeysGoTogether) {
  std::vector<std::string> twice = keys(50);
  const std::vector<std::string> again = keys(50);
  twice.insert(twice.end(), again.begin(), again.end());
  const HoldOut split = hold_out(twice);
  const std::set<std::size_t> held(split.held_out.begin(), split.held_out.end());
  EXPECT_FALSE(held.empty());
  for (std::size_t i = 0; i < 50; ++i)
    EXPECT_EQ(held.contains(i), held.contains(i + 50)) << i;
}

}  // namespace
}  // namespace rsd
