#include "rsd/rank/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rsd {
namespace {

using testing::HasSubstr;

std::string fault_of(Request request) {
  const auto completed = complete(std::move(request));
  return completed ? "" : completed.error().message();
}

TEST(CompleteRequest, CandidatesWithoutIdsGetTheirPlaces) {
  const auto request =
      complete({.query = "q", .candidates = {{.text = "a"}, {.id = "x", .text = "b"}, {}}});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->candidates[0].id, "0");
  EXPECT_EQ(request->candidates[1].id, "x");
  EXPECT_EQ(request->candidates[2].id, "2");
}

TEST(CompleteRequest, AHistoryWithoutAQueryIsARecommendation) {
  EXPECT_EQ(complete({.history = {"Heat"}, .candidates = {{.text = "a"}}})->task,
            Task::kRecommendation);
  EXPECT_EQ(complete({.query = "q", .history = {"Heat"}, .candidates = {{.text = "a"}}})->task,
            Task::kPassage);
}

TEST(CompleteRequest, BlankTitlesOfAHistoryAreLeftOut) {
  const auto request = complete({.history = {"", "Hook", " \n"}, .candidates = {{.text = "x"}}});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->history, std::vector<std::string>{"Hook"});
  EXPECT_FALSE(complete({.history = {" "}, .candidates = {{.text = "x"}}}));
}

TEST(CompleteRequest, FaultsNameFieldAndPlace) {
  EXPECT_EQ(fault_of({.query = "q"}), "candidates is empty");
  EXPECT_EQ(fault_of({.query = " \t", .candidates = {{.text = "a"}}}), "query is empty");
  EXPECT_EQ(fault_of({.candidates = {{.text = "a"}}}), "query is empty");
  EXPECT_EQ(fault_of({.task = Task::kRecommendation, .candidates = {{.text = "a"}}}),
            "history is empty");
  EXPECT_THAT(fault_of({.query = "q", .candidates = {{.text = "a"}, {.text = "b\xff"}}}),
              HasSubstr("candidates[1].text isn't valid UTF-8, from byte 1"));
  EXPECT_THAT(fault_of({.query = "\xc3(", .candidates = {{.text = "a"}}}), HasSubstr("query"));
  EXPECT_THAT(fault_of({.history = {"a", "\xff"}, .candidates = {{.text = "a"}}}),
              HasSubstr("history[1]"));
}

TEST(CompleteRequest, APlaceThatIsAnothersIdIsADuplicate) {
  EXPECT_THAT(fault_of({.query = "q", .candidates = {{.id = "1", .text = "a"}, {.text = "b"}}}),
              HasSubstr("candidates[0] and candidates[1] have the same id"));
}

}  // namespace
}  // namespace rsd
