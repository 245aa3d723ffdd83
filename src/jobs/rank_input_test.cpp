#include "jobs/rank_input.h"

#include <gmock/gmock.h>

#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;

class RankInputTest : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    return folder_.write(name, text);
  }
  TrecFiles trec(const std::string& run) const {
    return {.run = file("run", run),
            .topics = file("topics", "q1\tone\n"),
            .corpus = {file("corpus", "d1\ttext one\nd2\ttext two\n")},
            .depth = {}};
  }

  TempFolder folder_;
};

std::string refusal(const std::string& requests, const TrecFiles& files) {
  const auto input = RankInput::open(requests, files);
  if (input) return "accepted";
  EXPECT_EQ(input.error().code(), ErrorCode::kInvalidArgument);
  return input.error().message();
}

TEST_F(RankInputTest, EitherAFileOrAllThreeTrecFiles) {
  const TrecFiles files = trec("q1 Q0 d1 1 2 t\n");
  EXPECT_THAT(refusal("", {}), HasSubstr("--requests is required"));
  EXPECT_THAT(refusal("r.jsonl", files), HasSubstr("exclude each other"));
  TrecFiles incomplete = files;
  incomplete.topics.clear();
  EXPECT_THAT(refusal("", incomplete), HasSubstr("go together"));
}

TEST_F(RankInputTest, CountsTheLinesOfAFileButNotTheElementsOfAnArray) {
  const auto lines = RankInput::open(file("lines", "{}\n\n  \n{}\n"), {});
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->n_requests(), 2U);
  const auto array = RankInput::open(file("array", " [{},\n{}]\n"), {});
  ASSERT_TRUE(array);
  EXPECT_EQ(array->n_requests(), std::nullopt);
}

TEST_F(RankInputTest, SubjectNamesFileLineAndId) {
  const std::string path = file("lines", "{}\n");
  const auto input = RankInput::open(path, {});
  ASSERT_TRUE(input);
  EXPECT_EQ(input->subject("a", 7), path + ":7: request \"a\"");
}

TEST_F(RankInputTest, TopicsOfARunAreRequestsAndThoseWithoutATextFail) {
  const TrecFiles files = trec("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\nq2 Q0 d1 1 1 t\n");
  auto input = RankInput::open("", files);
  ASSERT_TRUE(input) << input.error().message();
  EXPECT_EQ(input->n_requests(), 2U);
  EXPECT_EQ(input->failed_topics().size(), 1U);
  EXPECT_EQ(input->subject("q1", 1), files.run + ": topic \"q1\"");
  const auto request = input->reader().next();
  ASSERT_TRUE(request && request->has_value());
  EXPECT_EQ((*request)->id, "q1");
  EXPECT_EQ((*request)->candidates.size(), 2U);
}

}  // namespace
}  // namespace rsd
