#include "jobs/rank_output.h"

#include <gmock/gmock.h>

#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Request kRequest{.id = "a", .query = "q", .candidates = {{.id = "c", .text = "t"}}};
const Conditions kConditions{{"model", "m"}};

Answer answer() {
  return {.ranking = *Ranking::create({ItemId(0)}), .decoder = "rsd"};
}

std::string refusal(const RankOutputOptions& options, const std::vector<std::string>& inputs = {}) {
  const auto output = RankOutput::plan(options, inputs);
  if (output) return "accepted";
  EXPECT_EQ(output.error().code(), ErrorCode::kInvalidArgument);
  return output.error().message();
}

class RankOutputTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.at(name); }
  // A run that ends after one answer.
  void write_one(const RankOutputOptions& options) const {
    auto output = RankOutput::plan(options, {});
    ASSERT_TRUE(output);
    ASSERT_TRUE(output->open(kConditions, "the model"));
    ASSERT_TRUE(output->write(kRequest, answer()));
  }

  TempFolder folder_;
};

TEST(RankOutput, RefusesOptionsThatContradictEachOther) {
  EXPECT_EQ(refusal({}), "accepted");
  EXPECT_THAT(refusal({.resume = true}), HasSubstr("--resume needs --output"));
  EXPECT_THAT(refusal({.output = "a", .resume = true, .trace = "b"}),
              HasSubstr("--trace can't be resumed"));
  EXPECT_THAT(refusal({.output = "a", .trace = "./a"}), HasSubstr("the same file"));
  EXPECT_THAT(refusal({.format = AnswerFormat::kTrec, .tag = "two words"}),
              HasSubstr("without white space"));
  EXPECT_EQ(refusal({.tag = "two words"}), "accepted") << "only TREC runs have a tag";
}

TEST(RankOutput, ResultsDoNotOverwriteTheInput) {
  EXPECT_THAT(refusal({.output = "in"}, {"./in"}), HasSubstr("both the requests and a result"));
  EXPECT_THAT(refusal({.trace = "in"}, {"in"}), HasSubstr("both the requests and a result"));
  EXPECT_THAT(refusal({.output = "in"}, {"in.partial"}), HasSubstr("both the requests"));
  EXPECT_EQ(refusal({}, {"", "in"}), "accepted") << "standard output is no input file";
}

TEST_F(RankOutputTest, AnswersAndTracesAppearWithTheCommit) {
  const RankOutputOptions options{.output = path("answers"), .trace = path("traces")};
  auto output = RankOutput::plan(options, {});
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->open(kConditions, "the model"));
  ASSERT_TRUE(output->write(kRequest, answer()));
  EXPECT_FALSE(output->is_broken());
  EXPECT_FALSE(output->to_standard_output());
  EXPECT_FALSE(folder_.has("answers"));
  ASSERT_TRUE(output->commit());
  EXPECT_THAT(folder_.read("answers"), StartsWith(R"({"id":"a")"));
  EXPECT_THAT(folder_.read("traces"), HasSubstr("the model"));
}

TEST_F(RankOutputTest, DiscardLeavesNothing) {
  const RankOutputOptions options{.output = path("answers"), .trace = path("traces")};
  auto output = RankOutput::plan(options, {});
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->open(kConditions, "the model"));
  output->discard();
  EXPECT_FALSE(folder_.has("answers.partial"));
  EXPECT_FALSE(folder_.has("answers"));
  EXPECT_FALSE(folder_.has("traces.partial"));
  EXPECT_FALSE(folder_.has("traces"));
}

TEST_F(RankOutputTest, ResumesOnlyAnswersToTheSameRequest) {
  RankOutputOptions options{.output = path("answers")};
  write_one(options);
  options.resume = true;
  auto resumed = RankOutput::plan(options, {});
  ASSERT_TRUE(resumed);
  ASSERT_TRUE(resumed->read_kept(kConditions));
  EXPECT_TRUE(resumed->kept().is_interrupted);
  EXPECT_EQ(resumed->has(kRequest).value(), true);
  Request other = kRequest;
  other.id = "b";
  EXPECT_EQ(resumed->has(other).value(), false);
  other = kRequest;
  other.query = "another";
  const auto refused = resumed->has(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("another request of this id"));
}

TEST_F(RankOutputTest, WithoutResumeNothingIsKept) {
  const RankOutputOptions options{.output = path("answers")};
  write_one(options);
  auto output = RankOutput::plan(options, {});
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->read_kept({{"model", "another"}}));
  EXPECT_EQ(output->has(kRequest).value(), false);
}

TEST_F(RankOutputTest, ARequestThatTheFormatCantExpressIsNotABrokenOutput) {
  auto output = RankOutput::plan({.format = AnswerFormat::kTrec, .output = path("run")}, {});
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->open(kConditions, ""));
  Request request = kRequest;
  request.id = "two words";
  EXPECT_FALSE(output->write(request, answer()));
  EXPECT_FALSE(output->is_broken());
}

}  // namespace
}  // namespace rsd
