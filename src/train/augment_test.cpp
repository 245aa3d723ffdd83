#include "rsd/train/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace rsd {
namespace {

Request request_of(std::size_t n_items, const std::string& id) {
  Request request{.id = id, .query = "q"};
  for (std::size_t i = 0; i < n_items; ++i)
    request.candidates.push_back({.id = std::to_string(i), .text = "text"});
  return request;
}

std::vector<std::string> ids_of(const Request& request) {
  std::vector<std::string> ids;
  for (const Candidate& candidate : request.candidates)
    ids.push_back(candidate.id);
  return ids;
}

TEST(Varied, EveryLengthComesUpAndNoCandidateTwice) {
  std::set<std::size_t> lengths;
  std::set<std::string> first;
  for (std::size_t n = 0; n < 200; ++n) {
    const auto ids = ids_of(varied(request_of(9, "r" + std::to_string(n)), 1));
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
    lengths.insert(ids.size());
    first.insert(ids.front());
  }
  EXPECT_THAT(lengths, ::testing::ElementsAre(5, 6, 7, 8, 9));
  EXPECT_EQ(first.size(), 9U);
}

TEST(Varied, DependsOnSeedAndIdOnly) {
  EXPECT_EQ(ids_of(varied(request_of(20, "a"), 1)), ids_of(varied(request_of(20, "a"), 1)));
  EXPECT_NE(ids_of(varied(request_of(20, "a"), 1)), ids_of(varied(request_of(20, "a"), 2)));
  EXPECT_NE(ids_of(varied(request_of(20, "a"), 1)), ids_of(varied(request_of(20, "b"), 1)));
}

TEST(Varied, ShortListsKeepAllTheirCandidates) {
  for (std::size_t seed = 0; seed < 20; ++seed)
    EXPECT_EQ(varied(request_of(3, "a"), seed).candidates.size(), 3U);
}

}  // namespace
}  // namespace rsd
