// Jobs that load an LLM: a tiny one.
#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/decode/policies.h"
#include "rsd/jobs/bench_files.h"
#include "rsd/jobs/evaluate_files.h"
#include "rsd/jobs/rank_file.h"
#include "rsd/jobs/train_agent.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kPassages = "examples/passages.jsonl";
const std::string kItems = "examples/recommendations.jsonl";
const EngineOptions kEngine{
    .model = "tests/models/tiny-bpe.gguf", .threads = 1, .policy = std::string(kDefaultPolicy)};
const PolicyNames kPolicies{.names = {std::string(kDefaultPolicy)}};

class FilesOnAModel : public testing::Test {
 protected:
  JobSeams seams() {
    return {.log = [this](LogLevel, std::string_view line) { log_.emplace_back(line); },
            .on_progress =
                [this](const std::string& part, std::size_t, std::optional<std::size_t>) {
                  if (parts_.empty() || parts_.back() != part) parts_.push_back(part);
                }};
  }
  EvaluateFilesOptions evaluation(std::vector<std::string> files) const {
    return {.requests = std::move(files),
            .limit = 2,
            .decoders = {DecoderKind::kAr, DecoderKind::kRsd},
            .budgets = {2},
            .policies = kPolicies,
            .out = folder_.at("out")};
  }

  TempFolder folder_;
  std::vector<std::string> log_;
  std::vector<std::string> parts_;
};

TEST_F(FilesOnAModel, RankFileAnswersEachRequest) {
  const auto report = rank_file(
      kEngine, {}, {.requests = kPassages, .output = {.output = folder_.at("answers")}}, seams());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GT(report->n_answered, 0U);
  const std::string answers = folder_.read("answers");
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(answers, '\n')), report->n_answered);
}

TEST_F(FilesOnAModel, AnEvaluationWritesAReportOfAllFiles) {
  const auto evaluated = evaluate_files(kEngine, evaluation({kPassages, kItems}), seams());
  ASSERT_TRUE(evaluated) << evaluated.error().message();
  EXPECT_EQ(evaluated->n_files, 2U);
  EXPECT_EQ(evaluated->n_failed, 0U);
  EXPECT_THAT(parts_, ElementsAre("passages", "recommendations"));
  EXPECT_THAT(folder_.read("out/table.md"), HasSubstr("recommendations"));
  EXPECT_TRUE(folder_.has("out/report.html"));
}

TEST_F(FilesOnAModel, FilesOfTheSameNameAreRefusedBeforeAnythingIsMade) {
  const auto refused = evaluate_files(kEngine, evaluation({kPassages, kPassages}), seams());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("\"passages\""));
  EXPECT_FALSE(folder_.has("out"));
}

TEST_F(FilesOnAModel, AFileWithoutAnyRankableRequestIsAnError) {
  const auto refused =
      evaluate_files(kEngine, evaluation({folder_.write("bad.jsonl", "no json\n")}), seams());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(log_, Contains(HasSubstr("bad.jsonl:1")));
  EXPECT_FALSE(folder_.has("out"));
}

TEST_F(FilesOnAModel, ABenchmarkGivesTheTableThatItWrites) {
  const auto benched = bench_files(
      kEngine, {.requests = {kItems}, .limit = 1, .policies = kPolicies, .out = folder_.at("out")},
      seams());
  ASSERT_TRUE(benched) << benched.error().message();
  EXPECT_EQ(benched->table, folder_.read("out/table.md"));
  EXPECT_THAT(benched->table, HasSubstr("## recommendations: 1 requests"));
  EXPECT_TRUE(folder_.has("out/bench.json"));
}

TEST_F(FilesOnAModel, ATrainingWritesTheAgentAndItsReport) {
  TrainingOptions options;
  options.requests = {kItems};
  options.limit = 3;
  options.out = folder_.at("agent.gguf");
  options.decodings = 1;
  options.supervised_steps = 1;
  options.rpo_steps = 1;
  options.rollouts = 2;
  options.threads = 1;
  const auto trained = train_agent(kEngine, options);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_TRUE(folder_.has("agent.gguf"));
  EXPECT_TRUE(folder_.has("agent.gguf.training/report.html"));
}

}  // namespace
}  // namespace rsd
