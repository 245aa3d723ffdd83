#include "rsd/train/training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "rsd/agent/agent_file.h"
#include "support/alternating_scorer.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// Requests are known by their ids; counts what it is asked, and fails where it is asked to.
class FakeLlm final : public TrainingLlm {
 public:
  Result<Conditions> conditions() override {
    ++n_asked;
    return Conditions{{"model", model}};
  }
  Result<std::unique_ptr<PositionScorer>> open(const Request& request) override {
    if (++n_asked == fails_at) return Error(ErrorCode::kRuntime, "the LLM is gone");
    if (too_long.contains(request.id)) return Error(ErrorCode::kTooLong, request.id + " is long");
    const auto seed = std::hash<std::string>()(request.query);
    return std::unique_ptr<PositionScorer>(
        std::make_unique<AlternatingScorer>(seed % 1000, request.candidates.size()));
  }
  std::string model_name() const override { return "folder/fake.gguf"; }
  std::string short_name() const override { return "fake"; }

  std::string model = "fake";
  std::size_t n_asked = 0;
  std::size_t fails_at = 0;
  std::set<std::string> too_long;
};

constexpr std::size_t kRequests = 24;

class WholeTraining : public testing::Test {
 protected:
  static std::string requests() {
    std::string lines;
    for (std::size_t n = 0; n < kRequests; ++n) {
      lines += "{\"id\": \"" + std::to_string(n) + "\", \"query\": \"about " + std::to_string(n) +
               "\", \"candidates\": [";
      for (const char* id : {"a", "b", "c", "d", "e", "f"})
        lines += std::string(*id == 'a' ? "" : ", ") + "{\"id\": \"" + id + "\", \"text\": \"" +
                 id + "\"}";
      lines += "]}\n";
    }
    return lines;
  }

  TrainingOptions options(const std::string& out = "agent") {
    return {.requests = {folder_.at("requests.jsonl")},
            .out = folder_.at(out),
            .decodings = 2,
            .supervised_steps = 3,
            .rpo_steps = 2,
            .rollouts = 2,
            .budget = 2,
            .threads = 1,
            .log = [this](LogLevel, std::string_view line) { log_ += std::string(line) + "\n"; }};
  }

  const TempFolder folder_;
  const std::string requests_ = folder_.write("requests.jsonl", requests());
  std::string log_;
  FakeLlm llm_;
};

TEST_F(WholeTraining, GoesThroughItsStagesToAnAgentThatSaysHowItWasMade) {
  std::vector<TrainingStage> stages;
  const auto trained = run_training(options(), llm_, [&](const TrainingProgress& progress) {
    EXPECT_LE(progress.done, progress.total);
    if (stages.empty() || stages.back() != progress.stage) stages.push_back(progress.stage);
  });
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_EQ(trained->n_left_out, 0U);
  EXPECT_EQ(stages,
            (std::vector{TrainingStage::kTraces, TrainingStage::kSupervised, TrainingStage::kRpo}));
  const auto agent = load_agent(folder_.at("agent"));
  ASSERT_TRUE(agent) << agent.error().message();
  EXPECT_EQ(agent->notes.at("model"), "fake");
  EXPECT_EQ(agent->notes.at("stages"), "supervised, rpo");
  EXPECT_EQ(agent->notes.at("requests"), "requests.jsonl");
  EXPECT_EQ(trained->metrics_path, folder_.at("agent.training/metrics.jsonl"));
  EXPECT_THAT(folder_.read("agent.training/metrics.jsonl"),
              AllOf(HasSubstr("\"supervised\""), HasSubstr("\"rpo\"")));
  EXPECT_THAT(folder_.read("agent.training/traces.jsonl"), HasSubstr("folder/fake.gguf"));
}

TEST_F(WholeTraining, EndsAtTheSameAgentWhereverItWasInterrupted) {
  ASSERT_TRUE(run_training(options(), llm_));
  const std::size_t n_asked = llm_.n_asked;
  const std::string agent = folder_.read("agent");
  // While requests are looked at, while they are traced, and in RPO.
  for (const std::size_t place : {kRequests / 2, kRequests + 10, n_asked - 1}) {
    const std::string out = "agent" + std::to_string(place);
    FakeLlm failing;
    failing.fails_at = place;
    const auto broken = run_training(options(out), failing);
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code(), ErrorCode::kRuntime);
    EXPECT_FALSE(folder_.has(out));
    FakeLlm whole;
    const auto trained = run_training(options(out), whole);
    ASSERT_TRUE(trained) << trained.error().message();
    EXPECT_EQ(folder_.read(out), agent) << "interrupted at " << place;
    EXPECT_EQ(folder_.read(out + ".training/metrics.jsonl"),
              folder_.read("agent.training/metrics.jsonl"));
  }
}

TEST_F(WholeTraining, LeavesOutWhatTheLlmCannotTake) {
  llm_.too_long = {"requests/3", "requests/5"};
  TrainingOptions options = this->options();
  options.supervised_only = true;
  const auto trained = run_training(options, llm_);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_EQ(trained->n_left_out, 2U);
  EXPECT_THAT(log_, AllOf(HasSubstr("requests/3 is long"), HasSubstr("requests/5 is long")));
}

TEST_F(WholeTraining, NeverGoesOnUnderOtherConditions) {
  ASSERT_TRUE(run_training(options(), llm_));
  TrainingOptions other = options();
  other.budget = 3;
  const auto refused = run_training(other, llm_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("begun with budget \"2\""));
  llm_.model = "another";
  EXPECT_THAT(run_training(options(), llm_).error().message(), HasSubstr("model"));
}

TEST_F(WholeTraining, FromTracesAloneAsksForNoLlm) {
  ASSERT_TRUE(run_training(options(), llm_));
  TrainingOptions from_traces = options("another");
  from_traces.requests.clear();
  from_traces.traces = {folder_.at("agent.training/traces.jsonl")};
  from_traces.supervised_only = true;
  FakeLlm unused;
  const auto trained = run_training(from_traces, unused);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_EQ(unused.n_asked, 0U);
  EXPECT_EQ(load_agent(folder_.at("another"))->notes.at("model"), "fake.gguf");
}

TEST_F(WholeTraining, RefusesOptionsThatContradictEachOtherBeforeAnyWork) {
  TrainingOptions no_requests = options();
  no_requests.requests.clear();
  TrainingOptions unused_traces = options();
  unused_traces.init = "agent.gguf";
  unused_traces.traces = {"traces.jsonl"};
  TrainingOptions into_folder = options("");
  for (const auto& wrong : {no_requests, unused_traces, into_folder})
    EXPECT_EQ(run_training(wrong, llm_).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(llm_.n_asked, 0U);
  EXPECT_EQ(folder_.n_files(), 1U);
}

}  // namespace
}  // namespace rsd
