#include "jobs/rank_run.h"

#include <gmock/gmock.h>

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "ranker/made_up_llm_test.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string line_of(const std::string& id, int n_candidates = 2) {
  std::string candidates;
  for (int i = 0; i < n_candidates; ++i)
    candidates +=
        (i > 0 ? R"(, {"id": "c)" : R"({"id": "c)") + std::to_string(i) + R"(", "text": "x"})";
  return R"({"id": ")" + id + R"(", "query": "q", "candidates": [)" + candidates + "]}\n";
}

class RankRunTest : public testing::Test {
 protected:
  // Ranks these lines into the file "answers".
  Result<RankFileReport> rank(const std::string& lines, const RankOptions& options = {}) {
    auto input = RankInput::open(folder_.write("in.jsonl", lines), {});
    auto output = RankOutput::plan({.output = folder_.at("answers")}, {});
    EXPECT_TRUE(input && output && output->open({{"model", "m"}}, "m"));
    Ranker ranker = made_up_ranker(/*parallel=*/2);
    const std::optional<PreviousAnswers> none;
    const JobSeams seams{
        .log = [this](LogLevel, std::string_view line) { log_.emplace_back(line); },
        .on_progress =
            [this](const std::string&, std::size_t done, std::optional<std::size_t> total) {
              done_.push_back(done);
              total_ = total;
            },
        .before_output = [this] { ++n_before_output_; }};
    return RankRun({.ranker = ranker,
                    .input = *input,
                    .output = *output,
                    .options = options,
                    .previous = none,
                    .seams = seams})
        .run();
  }
  std::vector<std::string> answered() const {
    std::vector<std::string> ids;
    std::istringstream lines(folder_.read("answers"));
    for (std::string line; std::getline(lines, line);)
      ids.push_back(line.substr(0, line.find(',')));
    return ids;
  }

  TempFolder folder_;
  std::vector<std::string> log_;
  std::vector<std::size_t> done_;
  std::optional<std::size_t> total_;
  std::size_t n_before_output_ = 0;
};

TEST_F(RankRunTest, AnswersAreInTheOrderOfTheRequests) {
  // The first takes more passes than the second, which waits for it.
  const auto report = rank(line_of("3", 8) + line_of("1") + line_of("2"));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->n_answered, 3U);
  EXPECT_EQ(report->n_failed, 0U);
  EXPECT_THAT(answered(), ElementsAre(R"({"id":"3")", R"({"id":"1")", R"({"id":"2")"));
}

TEST_F(RankRunTest, ARequestThatFailsIsLoggedWithItsLineAndCounted) {
  const auto report = rank(line_of("a") + "no json\n" + line_of("b"));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->n_answered, 2U);
  EXPECT_EQ(report->n_failed, 1U);
  EXPECT_THAT(log_,
              ElementsAre(StartsWith(folder_.at("in.jsonl") + ":2: "), "1 of 3 requests failed"));
}

TEST_F(RankRunTest, IfAllRequestsFailNoOutputIsLeft) {
  const auto report = rank("no json\n");
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->n_answered + report->n_kept, 0U);
  EXPECT_EQ(report->n_failed, 1U);
  EXPECT_FALSE(folder_.has("answers"));
  EXPECT_FALSE(folder_.has("answers.partial"));
}

TEST_F(RankRunTest, AFileWithoutRequestsIsAnError) {
  const auto report = rank("\n");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(report.error().message(), HasSubstr("holds no requests"));
}

TEST_F(RankRunTest, ProgressBeginsWithNothingAndEndsWithAllRequests) {
  ASSERT_TRUE(rank(line_of("a") + line_of("b") + line_of("c")));
  EXPECT_EQ(done_.front(), 0U);
  EXPECT_EQ(done_.back(), 3U);
  EXPECT_EQ(total_, 3U);
}

TEST_F(RankRunTest, NothingIsAnnouncedForAnOutputThatIsAFile) {
  ASSERT_TRUE(rank(line_of("a")));
  EXPECT_EQ(n_before_output_, 0U);
}

}  // namespace
}  // namespace rsd
