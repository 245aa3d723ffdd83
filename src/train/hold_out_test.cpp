#include "rsd/train/hold_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace rsd {
namespace {

std::vector<std::string> ids(std::size_t n) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < n; ++i)
    result.push_back("file/" + std::to_string(i));
  return result;
}

TEST(HoldOut, EachRequestIsOnOneSideAndNeitherSideIsEmpty) {
  for (const std::size_t n : {2U, 3U, 7U, 24U, 400U}) {
    const HoldOut split = hold_out(ids(n));
    std::vector<std::size_t> all;
    std::ranges::merge(split.training, split.held_out, std::back_inserter(all));
    ASSERT_EQ(all.size(), n);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(all[i], i);
    EXPECT_FALSE(split.training.empty()) << n;
    EXPECT_FALSE(split.held_out.empty()) << n;
  }
  EXPECT_TRUE(hold_out({}).training.empty());
  EXPECT_EQ(hold_out(ids(1)).training, (std::vector<std::size_t>{0}));
}

TEST(HoldOut, IsAboutAnEighthOfManyRequests) {
  const std::size_t n_held_out = hold_out(ids(4000)).held_out.size();
  EXPECT_GT(n_held_out, 440U);
  EXPECT_LT(n_held_out, 560U);
}

TEST(HoldOut, APartOfTheRequestsIsSplitAsTheWholeIs) {
  const auto whole = hold_out(ids(400));
  const auto part = hold_out(ids(100));
  const auto end = std::ranges::lower_bound(whole.held_out, 100U);
  EXPECT_EQ(part.held_out, std::vector<std::size_t>(whole.held_out.begin(), end));
}

TEST(HoldOut, EqualIdsGoTogether) {
  std::vector<std::string> twice = ids(50);
  const std::vector<std::string> again = ids(50);
  twice.insert(twice.end(), again.begin(), again.end());
  const HoldOut split = hold_out(twice);
  const std::set<std::size_t> held(split.held_out.begin(), split.held_out.end());
  for (std::size_t i = 0; i < 50; ++i)
    EXPECT_EQ(held.contains(i), held.contains(i + 50)) << i;
}

TEST(HoldOut, TheNameOfTheFileDoesNotCount) {
  std::vector<std::string> elsewhere = ids(400);
  for (std::string& id : elsewhere)
    id = "part-of-it" + id.substr(id.find('/'));
  EXPECT_EQ(hold_out(elsewhere).held_out, hold_out(ids(400)).held_out);
}

}  // namespace
}  // namespace rsd
