#include "rsd/eval/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <utility>

#include "rsd/core/file.h"
#include "rsd/decode/policies.h"
#include "rsd/eval/results.h"
#include "rsd/rank/presentation.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Request request(int n, std::size_t n_items = 8) {
  Request request{.id = "q" + std::to_string(n), .query = "query " + std::to_string(n)};
  for (std::size_t i = 0; i < n_items; ++i) {
    const std::string name = std::to_string(n) + "-" + std::to_string(i);
    request.candidates.push_back({.id = "c" + name, .text = "text " + name});
  }
  request.relevance["c" + std::to_string(n) + "-2"] = 1;
  return request;
}

struct Calls {
  int opened = 0;
  int prefills = 0;
  int forgets = 0;
};

class CountingScorer final : public SyntheticScorer {
 public:
  CountingScorer(SyntheticOptions options, Calls& calls)
      : SyntheticScorer(std::move(options)), calls_(calls) {}
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override {
    ++calls_.prefills;
    return SyntheticScorer::prefill(give_up_at);
  }
  void forget_proposals() override {
    ++calls_.forgets;
    SyntheticScorer::forget_proposals();
  }

 private:
  Calls& calls_;
};

SyntheticOptions synthetic_options(const Request& request) {
  return {.seed = std::hash<std::string>{}(request.query),
          .n_items = request.candidates.size(),
          .pair_noise = 1.5};
}

// Six requests, every decoder, a folder of its own and a clock that stands still.
class EvaluationTest : public ::testing::Test {
 protected:
  EvaluationTest() : folder_(std::filesystem::temp_directory_path() / unique_name()) {
    std::filesystem::remove_all(folder_);
    options_.dataset = "made-up";
    for (int n = 0; n < 6; ++n)
      options_.requests.push_back(request(n));
    options_.grid = {.decoders = {DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd,
                                  DecoderKind::kExact, DecoderKind::kRsd},
                     .budgets = {1, 2, 3},
                     .policies = {mean_log_prob_policy(), argmax_policy()},
                     .drafts = {Draft::kFirstToken, Draft::kInput}};
    options_.shuffle_seed = 7;
    options_.records_folder = folder_;
    options_.conditions = {{"model", "synthetic"}};
    options_.now = [] { return Clock::time_point(); };
    options_.open = [this](const Request& shown) -> Result<OpenedRequest> {
      ++calls_.opened;
      if (shown.id == failing_id_) return Error(ErrorCode::kTooLong, "it is too long");
      return OpenedRequest{.scorer =
                               std::make_unique<CountingScorer>(synthetic_options(shown), calls_)};
    };
  }
  ~EvaluationTest() override { std::filesystem::remove_all(folder_); }

  static std::string unique_name() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    return "rsd_evaluation_test_" + std::to_string(getpid()) + "_" + test->name();
  }

  std::string records_path() const { return folder_ / "made-up.jsonl"; }
  std::string records() const { return read_file(records_path()).value(); }
  void leave_records(const std::string& content) const {
    std::ofstream(records_path(), std::ios::binary) << content;
  }
  Result<Evaluation> resume() {
    options_.existing_records = ExistingRecords::kResume;
    calls_ = {};
    return evaluate(options_);
  }

  std::filesystem::path folder_;
  Calls calls_;
  std::string failing_id_;
  EvaluationOptions options_;
};

std::string figures(const Evaluation& evaluation) {
  return to_json({.model = "synthetic", .datasets = {aggregate(evaluation)}});
}

TEST_F(EvaluationTest, EverySettingIsMeasuredAsIfItWereAlone) {
  const auto evaluation = evaluate(options_);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().message();
  ASSERT_THAT(evaluation->records, SizeIs(6));
  for (std::size_t r = 0; r < 6; ++r) {
    const RequestRecord& record = evaluation->records[r];
    ASSERT_THAT(record.measurements, SizeIs(evaluation->settings.size()));
    for (std::size_t s = 0; s < evaluation->settings.size(); ++s) {
      const Setting& setting = evaluation->settings[s];
      SyntheticScorer alone(synthetic_options(options_.requests[r]));
      DecodingOptions options{
          .decoder = setting.decoder, .budget = setting.budget, .draft = setting.draft};
      if (!setting.policy.empty()) options.policy = policy_by_name(setting.policy).value();
      auto decoding = Decoding::create(alone.n_items(), options).value();
      const Outcome outcome = run(decoding, alone, {.now = options_.now}).value();
      const Measurement& measured = record.measurements[s];
      EXPECT_EQ(measured.ranking, outcome.ranking) << to_string(setting);
      EXPECT_EQ(measured.encodings, outcome.encodings) << to_string(setting);
      EXPECT_EQ(measured.tokens_encoded, outcome.tokens_encoded) << to_string(setting);
      EXPECT_EQ(measured.timing.decode_ms, outcome.timing.decode_ms) << to_string(setting);
      EXPECT_EQ(measured.timing.prefill_ms, 100) << to_string(setting);
    }
  }
}

TEST_F(EvaluationTest, OneScorerServesAllSettingsAndForgetsBetweenThem) {
  const auto evaluation = evaluate(options_);
  ASSERT_TRUE(evaluation.ok());
  const int n_settings = static_cast<int>(evaluation->settings.size());
  EXPECT_EQ(calls_.opened, 6);
  EXPECT_EQ(calls_.forgets, 6 * n_settings);
  EXPECT_EQ(calls_.prefills, 6 * n_settings);  // reuses the figures of the first
}

TEST_F(EvaluationTest, ShuffleDependsOnSeedAndRequestOnly) {
  const Evaluation all = evaluate(options_).value();
  std::ranges::reverse(options_.requests);
  options_.requests.resize(2);
  const Evaluation few = evaluate(options_).value();
  EXPECT_EQ(few.records[0].id, "q5");
  EXPECT_EQ(few.records[0].order, all.records[5].order);
  EXPECT_EQ(few.records[1].order, all.records[4].order);
  EXPECT_NE(all.records[0].order, all.records[1].order);
  options_.shuffle_seed = 8;
  EXPECT_NE(evaluate(options_).value().records[0].order, few.records[0].order);
  options_.shuffle_seed.reset();
  EXPECT_THAT(evaluate(options_).value().records[0].order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(PresentationOrder, IsTheSameOnEveryMachine) {
  // Recorded once: results of different machines must be comparable.
  EXPECT_THAT(presentation_order(request(1), 7), ElementsAre(6, 4, 2, 5, 0, 7, 3, 1));
}

double order_consistency(const EvaluationOptions& options) {
  return aggregate(evaluate(options).value()).target.order_consistency.value();
}

// A target that knows the candidates by their texts: the smaller the id, the better.
SyntheticOptions by_text(const Request& request) {
  SyntheticOptions options{.pair_noise = 0, .position_noise = 0};
  for (const Candidate& candidate : request.candidates)
    options.relevance.push_back(-static_cast<double>(candidate.id.back()));
  return options;
}

TEST_F(EvaluationTest, OrderConsistencyIsOneWhereTheTextsDecide) {
  options_.order_shuffles = 3;
  options_.open = [](const Request& shown) -> Result<OpenedRequest> {
    return OpenedRequest{.scorer = std::make_unique<SyntheticScorer>(by_text(shown))};
  };
  EXPECT_DOUBLE_EQ(order_consistency(options_), 1);
  options_.shuffle_seed.reset();
  EXPECT_DOUBLE_EQ(order_consistency(options_), 1);
}

TEST_F(EvaluationTest, OrderConsistencyIsAboutZeroWhereTheIdentifiersDecide) {
  for (int n = 6; n < 60; ++n)
    options_.requests.push_back(request(n));
  options_.grid.decoders = {DecoderKind::kAr};
  options_.order_shuffles = 4;
  const double with_seed = order_consistency(options_);
  EXPECT_NEAR(with_seed, 0, 0.1);
  options_.shuffle_seed = 8;
  EXPECT_NE(order_consistency(options_), with_seed);
}

TEST_F(EvaluationTest, OtherOrdersOfARequestAreOnesOfTheirOwnSeeds) {
  options_.order_shuffles = 3;
  std::vector<std::string> shown_first;
  const auto made = options_.open;
  options_.open = [&](const Request& shown) {
    if (shown.id == "q1") shown_first.push_back(shown.candidates.front().id);
    return made(shown);
  };
  const Evaluation evaluation = evaluate(options_).value();
  EXPECT_THAT(evaluation.records[1].reordered, SizeIs(2));
  std::vector<std::string> expected;
  for (const std::uint64_t seed : {7, 8, 9})
    expected.push_back(
        presented(request(1), presentation_order(request(1), seed)).candidates[0].id);
  EXPECT_EQ(shown_first, expected);
  EXPECT_EQ(calls_.opened, 18);
  EXPECT_EQ(evaluation.records[1].measurements[0].timing.prefill_ms, 100) << "nobody is billed";
}

TEST_F(EvaluationTest, OrderConsistencySurvivesAKill) {
  options_.order_shuffles = 2;
  const std::string uninterrupted = figures(evaluate(options_).value());
  const std::string complete = records();
  leave_records(complete.substr(0, complete.size() / 2));
  EXPECT_EQ(figures(resume().value()), uninterrupted);
  options_.order_shuffles = 3;
  const auto other = resume();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message(), HasSubstr("order_shuffles"));
}

TEST_F(EvaluationTest, LabelsFollowTheShuffledCandidates) {
  const Evaluation evaluation = evaluate(options_).value();
  for (const RequestRecord& record : evaluation.records) {
    ASSERT_TRUE(record.labels.has_value());
    for (std::size_t i = 0; i < record.order.size(); ++i)
      EXPECT_EQ(record.labels->grades[i].has_value(), record.order[i] == 2);
  }
}

TEST_F(EvaluationTest, QrelsTakeThePlaceOfTheRequestsOwnLabels) {
  options_.qrels = Qrels{{"q1", {{"c1-0", 2}, {"elsewhere", 1}}}};
  options_.shuffle_seed.reset();
  const Evaluation evaluation = evaluate(options_).value();
  EXPECT_FALSE(evaluation.records[0].labels.has_value());
  ASSERT_TRUE(evaluation.records[1].labels.has_value());
  EXPECT_EQ(evaluation.records[1].labels->grades[0], 2);
  EXPECT_THAT(evaluation.records[1].labels->judged, SizeIs(2));
}

TEST_F(EvaluationTest, AFailingRequestDoesNotStopTheOthers) {
  failing_id_ = "q2";
  const auto evaluation = evaluate(options_);
  ASSERT_TRUE(evaluation.ok());
  EXPECT_THAT(evaluation->records, SizeIs(5));
  ASSERT_THAT(evaluation->failed, SizeIs(1));
  EXPECT_EQ(evaluation->failed[0].id, "q2");
  EXPECT_EQ(evaluation->failed[0].error.message(), "it is too long");
  EXPECT_THAT(records(), HasSubstr("\"too_long\""));
}

TEST_F(EvaluationTest, ADecodingThatFailsNamesItsSetting) {
  options_.open = [](const Request& shown) -> Result<OpenedRequest> {
    SyntheticOptions synthetic = synthetic_options(shown);
    if (shown.id == "q0") synthetic.failing_encoding = 7;  // ar takes the first seven
    return OpenedRequest{.scorer = std::make_unique<SyntheticScorer>(synthetic)};
  };
  const auto evaluation = evaluate(options_);
  ASSERT_TRUE(evaluation.ok());
  ASSERT_THAT(evaluation->failed, SizeIs(1));
  EXPECT_THAT(evaluation->failed[0].error.message(), HasSubstr("std: "));
}

TEST_F(EvaluationTest, NothingButFailuresIsAnError) {
  options_.requests.resize(1);
  failing_id_ = "q0";
  const auto evaluation = evaluate(options_);
  ASSERT_FALSE(evaluation.ok());
  EXPECT_EQ(evaluation.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(evaluation.error().message(), HasSubstr("\"q0\": it is too long"));
}

TEST_F(EvaluationTest, ResumedAfterBeingKilledGivesTheSameFigures) {
  const std::string uninterrupted = figures(evaluate(options_).value());
  const std::string complete = records();
  // Killed within the line of the fourth request, just before its newline, and in the header.
  std::size_t fourth_end = 0;
  for (int n = 0; n < 5; ++n)
    fourth_end = complete.find('\n', fourth_end) + 1;
  const std::vector<std::pair<std::size_t, int>> ends = {
      {fourth_end - 40, 3}, {fourth_end - 1, 3}, {fourth_end, 2}, {10, 6}, {0, 6}};
  for (const auto& [end, left_to_do] : ends) {
    leave_records(complete.substr(0, end));
    const auto resumed = resume();
    ASSERT_TRUE(resumed.ok()) << resumed.error().message();
    EXPECT_EQ(calls_.opened, left_to_do) << "cut at " << end;
    EXPECT_EQ(figures(*resumed), uninterrupted) << "cut at " << end;
    EXPECT_EQ(records(), complete) << "cut at " << end;
  }
}

TEST_F(EvaluationTest, ResumedFailuresAreTriedAgain) {
  const std::string uninterrupted = figures(evaluate(options_).value());
  failing_id_ = "q2";
  options_.existing_records = ExistingRecords::kReplace;
  ASSERT_TRUE(evaluate(options_).ok());
  failing_id_.clear();
  const auto resumed = resume();
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(calls_.opened, 1);
  EXPECT_EQ(figures(*resumed), uninterrupted);
}

TEST_F(EvaluationTest, WithoutResumeOldRecordsAreReplaced) {
  ASSERT_TRUE(evaluate(options_).ok());
  options_.requests.resize(1);
  ASSERT_TRUE(evaluate(options_).ok());
  const std::string content = records();
  EXPECT_EQ(std::ranges::count(content, '\n'), 2);
}

TEST_F(EvaluationTest, RecordsOfOtherConditionsAreNotResumed) {
  ASSERT_TRUE(evaluate(options_).ok());
  const std::string before = records();
  options_.conditions["model"] = "another";
  options_.conditions["context"] = "4096";
  options_.shuffle_seed.reset();
  const auto resumed = resume();
  ASSERT_FALSE(resumed.ok());
  EXPECT_EQ(resumed.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(resumed.error().message(),
              HasSubstr("model was \"synthetic\" and is \"another\"; shuffle was \"7\" and is "
                        "\"none\""));
  EXPECT_THAT(resumed.error().message(), HasSubstr("context was absent and is \"4096\""));
  EXPECT_EQ(records(), before);
}

TEST_F(EvaluationTest, RecordsOfOtherTextsOrLabelsAreNotResumed) {
  ASSERT_TRUE(evaluate(options_).ok());
  options_.requests[3].candidates[0].text += ".";
  const auto other_text = resume();
  ASSERT_FALSE(other_text.ok());
  EXPECT_EQ(other_text.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(other_text.error().message(), HasSubstr("request \"q3\" had other texts or labels"));
  options_.requests[3] = request(3);
  options_.requests[5].relevance["c5-1"] = 1;
  EXPECT_THAT(resume().error().message(), HasSubstr("request \"q5\""));
}

TEST_F(EvaluationTest, DamagedRecordsAreReportedWithTheirLine) {
  ASSERT_TRUE(evaluate(options_).ok());
  const std::string complete = records();
  const auto second_line = complete.find('\n') + 1;
  for (const char* damage : {"{\n", "{\"id\":\"q0\"}\n", "[1]\n"}) {
    leave_records(complete.substr(0, second_line) + damage);
    const auto resumed = resume();
    ASSERT_FALSE(resumed.ok()) << damage;
    EXPECT_EQ(resumed.error().code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(resumed.error().message(), HasSubstr("made-up.jsonl:2: "));
  }
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']') + "\n";
  leave_records(complete.substr(0, second_line) + deep);
  EXPECT_THAT(resume().error().message(), HasSubstr("nests deeper than 512 levels"));
  leave_records("{\"rsd_records\":" + deep.substr(0, deep.size() - 1) + "}\n");
  EXPECT_EQ(resume().error().code(), ErrorCode::kInvalidInput);
  leave_records("something else\n");
  EXPECT_EQ(resume().error().code(), ErrorCode::kInvalidInput);
}

TEST_F(EvaluationTest, ProgressCountsWhatIsDone) {
  std::vector<std::size_t> done;
  options_.progress = [&](std::size_t n, std::size_t total) {
    EXPECT_EQ(total, 6U);
    done.push_back(n);
  };
  ASSERT_TRUE(evaluate(options_).ok());
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(EvaluationTest, OptionsThatMakeNoSenseAreErrorsBeforeAnythingRuns) {
  const auto message = [this] {
    const auto evaluation = evaluate(options_);
    EXPECT_FALSE(evaluation.ok());
    EXPECT_EQ(evaluation.error().code(), ErrorCode::kInvalidArgument);
    return evaluation.error().message();
  };
  options_.dataset = "../up";
  EXPECT_THAT(message(), HasSubstr("\"../up\" can't be a file's name"));
  options_.dataset = "made-up";
  options_.requests.push_back(options_.requests[0]);
  EXPECT_THAT(message(), HasSubstr("\"q0\" twice"));
  options_.requests.clear();
  EXPECT_THAT(message(), HasSubstr("no requests"));
  EXPECT_EQ(calls_.opened, 0);
}

TEST_F(EvaluationTest, AnUnwritableFolderIsARuntimeError) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "file") << "not a folder";
  options_.records_folder = folder_ / "file";
  const auto evaluation = evaluate(options_);
  ASSERT_FALSE(evaluation.ok());
  EXPECT_EQ(evaluation.error().code(), ErrorCode::kRuntime);
}

// Rounds otherwise when several rows are encoded at once, as real kernels do.
class BatchSensitiveScorer final : public SyntheticScorer {
 public:
  using SyntheticScorer::SyntheticScorer;
  Result<Encoding> encode(const EncodingQuery& query) override {
    auto encoding = SyntheticScorer::encode(query);
    for (std::size_t j = 0; encoding && query.rows.size() > 1 && j < query.rows.size(); ++j)
      encoding->rows.row(j)[2] += 0.5F;
    return encoding;
  }
};

TEST_F(EvaluationTest, ExactReportsWhereItLeavesArAndByWhatMargin) {
  options_.requests = {request(0, 3)};
  options_.shuffle_seed.reset();
  options_.grid.policies = {argmax_policy()};
  options_.grid.drafts = {Draft::kFirstToken};
  options_.open = [](const Request&) -> Result<OpenedRequest> {
    return OpenedRequest{.scorer = std::make_unique<BatchSensitiveScorer>(SyntheticOptions{
                             .relevance = {3, 2, 1.75}, .pair_noise = 0, .position_noise = 0})};
  };
  const Evaluation evaluation = evaluate(options_).value();
  const auto exact = std::ranges::find(evaluation.settings, DecoderKind::kExact, &Setting::decoder);
  ASSERT_NE(exact, evaluation.settings.end());
  const auto& difference =
      evaluation.records[0]
          .measurements[static_cast<std::size_t>(exact - evaluation.settings.begin())]
          .difference;
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->position, Position(1));
  EXPECT_DOUBLE_EQ(difference->margin, 0.25);
  EXPECT_FALSE(evaluation.records[0].measurements[0].difference.has_value());
}

}  // namespace
}  // namespace rsd
