#include "rsd/data/answer_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "data/shorten.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

Request passages(std::size_t n_candidates) {
  Request request;
  request.id = "q1";
  request.query = "how long do fleas live";
  for (std::size_t i = 0; i < n_candidates; ++i) {
    request.candidates.push_back({"d" + std::to_string(i), "text " + std::to_string(i), {}});
  }
  return request;
}

Answer answer_of(std::vector<int> order) {
  std::vector<ItemId> items;
  for (const int item : order)
    items.emplace_back(item);
  Answer answer;
  answer.ranking = Ranking::create(std::move(items)).value();
  answer.decoder = "rsd";
  answer.budget = 2;
  answer.encodings = 2;
  answer.verified_prefix = 1;
  answer.tokens_encoded = 345;
  answer.prefill_ms = 100.12345;
  answer.decode_ms = 20.5;
  answer.agent_ms = 0.0004;
  answer.total_ms = 121;
  return answer;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string format(AnswerFormat format, const Request& request, const Answer& answer) {
  return format_answer(format, request, answer, "rsd-t2").value();
}

TEST(AnswerFormat, NamesAreReadBack) {
  for (const auto format : {AnswerFormat::kJsonl, AnswerFormat::kTrec, AnswerFormat::kTable}) {
    EXPECT_EQ(parse_answer_format(to_string(format)).value(), format);
  }
}

TEST(AnswerFormat, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  const auto format = parse_answer_format("csv");
  ASSERT_FALSE(format.ok());
  EXPECT_EQ(format.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(format.error().message(), HasSubstr("jsonl, trec, table"));
}

// ---- JSON lines

TEST(AnswerJsonl, HasTheKeysOfTheContractInOrder) {
  EXPECT_EQ(format(AnswerFormat::kJsonl, passages(4), answer_of({2, 0, 3, 1})),
            R"({"id":"q1","ranking":["d2","d0","d3","d1"],"scores":[1.0,0.75,0.5,0.25],)"
            R"("decoder":"rsd","budget":2,"encodings":2,"verified_prefix":1,"tokens_encoded":345,)"
            R"("timing_ms":{"prefill":100.123,"decode":20.5,"agent":0.0,"total":121.0},)"
            R"("truncated_candidates":0,"truncated_query":false,"deadline_hit":false})"
            "\n");
}

TEST(AnswerJsonl, BudgetIsNullWithoutABudget) {
  Answer answer = answer_of({0});
  answer.budget.reset();
  answer.truncated_candidates = 3;
  answer.deadline_hit = true;
  const std::string line = format(AnswerFormat::kJsonl, passages(1), answer);
  EXPECT_THAT(line, HasSubstr(R"("budget":null)"));
  EXPECT_THAT(
      line, HasSubstr(R"("truncated_candidates":3,"truncated_query":false,"deadline_hit":true})"));
  EXPECT_THAT(line, HasSubstr(R"("scores":[1.0])"));
}

TEST(AnswerJsonl, HasTheWindowsAndWhetherTheQueryWasCut) {
  Answer answer = answer_of({0});
  answer.truncated_query = true;
  answer.windows = {.count = 4, .confirmed_prefix = 1, .size = 9, .method = "calibrated"};
  const std::string line = format(AnswerFormat::kJsonl, passages(1), answer);
  EXPECT_THAT(line, HasSubstr(R"("truncated_query":true)"));
  EXPECT_THAT(
      line,
      HasSubstr(R"("windows":{"count":4,"confirmed_prefix":1,"size":9,"method":"calibrated"}})"));
  EXPECT_THAT(format(AnswerFormat::kTable, passages(1), answer),
              HasSubstr("4 windows of up to 9 (calibrated), the first 1 confirmed in theirs"));
}

TEST(AnswerJsonl, IdsSurviveWhateverTheyHold) {
  Request request = passages(2);
  request.id = "a \"b\"\n\\ é 東";
  request.candidates[0].id = " white space\t";
  const auto json = nlohmann::json::parse(format(AnswerFormat::kJsonl, request, answer_of({0, 1})));
  EXPECT_EQ(json["id"], request.id);
  EXPECT_EQ(json["ranking"][0], request.candidates[0].id);
}

TEST(AnswerJsonl, ScoresAreStrictlyDecreasingAsPrinted) {
  const std::size_t n = 10'000;
  Answer answer = answer_of({});
  answer.ranking = Ranking::identity(n);
  const auto json = nlohmann::json::parse(format(AnswerFormat::kJsonl, passages(n), answer));
  const auto scores = json["scores"].get<std::vector<double>>();
  ASSERT_EQ(scores.size(), n);
  EXPECT_TRUE(std::ranges::is_sorted(scores, std::ranges::greater_equal()) &&
              std::ranges::adjacent_find(scores) == scores.end());
  EXPECT_EQ(scores.front(), 1);
  EXPECT_GT(scores.back(), 0);
}

TEST(AnswerJsonl, TextThatIsNotUtf8IsAnError) {
  Request request = passages(2);
  request.candidates[1].id = "\xFF";
  const auto line = format_answer(AnswerFormat::kJsonl, request, answer_of({0, 1}), "t");
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(line.error().message(), HasSubstr("UTF-8"));
}

// ---- TREC

TEST(AnswerTrec, IsALineACandidateWithRanksFromOne) {
  EXPECT_EQ(format(AnswerFormat::kTrec, passages(4), answer_of({2, 0, 3, 1})),
            "q1 Q0 d2 1 1.000000 rsd-t2\n"
            "q1 Q0 d0 2 0.750000 rsd-t2\n"
            "q1 Q0 d3 3 0.500000 rsd-t2\n"
            "q1 Q0 d1 4 0.250000 rsd-t2\n");
}

TEST(AnswerTrec, ScoresAreStrictlyDecreasingAsPrinted) {
  for (const std::size_t n : {1u, 3u, 7u, 100u, 10'000u}) {
    Answer answer = answer_of({});
    answer.ranking = Ranking::identity(n);
    float above = 2;  // trec_eval reads scores as float
    for (const std::string& line : lines_of(format(AnswerFormat::kTrec, passages(n), answer))) {
      std::istringstream columns(line);
      std::string qid, q0, docid, rank, score;
      columns >> qid >> q0 >> docid >> rank >> score;
      const float value = std::strtof(score.c_str(), nullptr);
      ASSERT_LT(value, above) << n << ": " << line;
      above = value;
    }
  }
}

TEST(AnswerTrec, WordsThatAreNoColumnAreErrors) {
  for (const std::string bad : {"", " ", "a b", "a\tb", "a\n", "a\u00a0b", "\u3000", "a\x7f"}) {
    SCOPED_TRACE(bad);
    Request by_request = passages(2);
    by_request.id = bad;
    Request by_candidate = passages(2);
    by_candidate.candidates[1].id = bad;
    const Answer answer = answer_of({0, 1});
    const auto request_error = format_answer(AnswerFormat::kTrec, by_request, answer, "t");
    const auto candidate_error = format_answer(AnswerFormat::kTrec, by_candidate, answer, "t");
    const auto tag_error = format_answer(AnswerFormat::kTrec, passages(2), answer, bad);
    ASSERT_FALSE(request_error.ok() || candidate_error.ok() || tag_error.ok());
    EXPECT_EQ(request_error.error().code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(request_error.error().message(), HasSubstr("the request id \""));
    EXPECT_EQ(candidate_error.error().code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(candidate_error.error().message(), HasSubstr("the candidate id \""));
    EXPECT_EQ(tag_error.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(tag_error.error().message(), HasSubstr("white space"));
  }
}

TEST(AnswerTrec, AcceptsLettersOutsideOfAscii) {
  Request request = passages(1);
  request.candidates[0].id = "東京-é";
  EXPECT_EQ(format(AnswerFormat::kTrec, request, answer_of({0})),
            "q1 Q0 東京-é 1 1.000000 rsd-t2\n");
}

// ---- Table

TEST(AnswerTable, ShowsQueryRanksMarksAndSummary) {
  EXPECT_EQ(format(AnswerFormat::kTable, passages(3), answer_of({2, 0, 1})),
            "q1  how long do fleas live\n"
            "rank  ✓  id  input  text\n"
            "   1  ✓  d2      3  text 2\n"
            "   2     d0      1  text 0\n"
            "   3     d1      2  text 1\n"
            "rsd (budget 2): 2 encodings, 345 tokens, 1 of 3 verified, no text cut, 121.0 ms "
            "(prefill 100.1, decode 20.5, agent 0.0)\n"
            "\n");
}

TEST(AnswerTable, SummarySaysWhatWasCutAndLate) {
  Answer answer = answer_of({0});
  answer.budget.reset();
  answer.encodings = 1;
  answer.truncated_candidates = 1;
  answer.deadline_hit = true;
  EXPECT_THAT(
      format(AnswerFormat::kTable, passages(1), answer),
      HasSubstr("rsd: 1 encoding, 345 tokens, 1 of 1 verified, 1 text cut, deadline hit, "));
}

TEST(AnswerTable, LongTextsAreCutToAHundredColumns) {
  Request request = passages(12);
  request.id = std::string(80, 'q');
  for (std::size_t i = 0; i < 60; ++i)
    request.query += " 東京の動物園";
  for (Candidate& candidate : request.candidates) {
    for (std::size_t i = 0; i < 60; ++i)
      candidate.text += " naïve 🎮";
  }
  request.candidates[3].id = std::string(70, 'd');
  Answer answer = answer_of({});
  answer.ranking = Ranking::identity(12);
  auto lines = lines_of(format(AnswerFormat::kTable, request, answer));
  ASSERT_EQ(lines.size(), 16u);
  lines.resize(14);
  for (const std::string& line : lines)
    EXPECT_LE(count_chars(line), 100u) << line;
  EXPECT_EQ(count_chars(lines[0]), 100u);
  EXPECT_THAT(lines[2], EndsWith("…"));
}

TEST(AnswerTable, ShowsTheLastItemsOfAHistory) {
  Request request = passages(1);
  request.task = Task::kRecommendation;
  request.history = {"Hook", "Scream 3", "Robocop 2"};
  EXPECT_THAT(format(AnswerFormat::kTable, request, answer_of({0})),
              HasSubstr("q1  Hook | Scream 3 | Robocop 2\n"));
  for (int i = 4; i <= 50; ++i)
    request.history.push_back("Item number " + std::to_string(i));
  const auto lines = lines_of(format(AnswerFormat::kTable, request, answer_of({0})));
  EXPECT_THAT(lines[0], testing::StartsWith("q1  … | Item number"));
  EXPECT_THAT(lines[0], EndsWith(" | Item number 49 | Item number 50"));
  EXPECT_LE(count_chars(lines[0]), 100u);
  EXPECT_GT(count_chars(lines[0]), 80u);
}

TEST(AnswerTable, ALongNewestItemIsCutAfterTheMark) {
  Request request = passages(1);
  request.task = Task::kRecommendation;
  request.history = {"old", std::string(300, 'x')};
  const auto lines = lines_of(format(AnswerFormat::kTable, request, answer_of({0})));
  EXPECT_LE(count_chars(lines[0]), 100u);
  EXPECT_THAT(lines[0], testing::StartsWith("q1  … | xxx"));
}

TEST(AnswerTable, TextsCanNotReachIntoTheTerminal) {
  Request request = passages(1);
  request.candidates[0].text = "line one\nline two \x1b[2J\r\n\u0085 end";
  const std::string table = format(AnswerFormat::kTable, request, answer_of({0}));
  EXPECT_THAT(table, HasSubstr("line one line two [2J end\n"));
  EXPECT_THAT(table, Not(HasSubstr("\x1b")));
}

TEST(Answer, ThatBelongsToAnotherRequestIsADefect) {
  EXPECT_THROW((void)format_answer(AnswerFormat::kJsonl, passages(3), answer_of({1, 0}), "t"),
               LogicError);
}

// Relevance need not decrease along the ranking.
TEST(AnswerWriter, LeavesOutWhatIsBelowTheMinimumScoreWhereverItIsRanked) {
  Answer answer = answer_of({2, 0, 1});
  answer.relevance = {0.9, 0.2, 0.5};
  answer.relevance_is_probability = true;
  answer.min_score = 0.5;
  const auto line = nlohmann::json::parse(format(AnswerFormat::kJsonl, passages(3), answer));
  EXPECT_EQ(line["ranking"], nlohmann::json({"d2", "d1"}));
  EXPECT_EQ(line["relevance_scores"], nlohmann::json({0.9, 0.5}));
  EXPECT_EQ(line["scores"].size(), 2U);
  EXPECT_EQ(line["left_out"], 1);
  EXPECT_EQ(line["none_relevant"], false);
  const auto run = lines_of(format(AnswerFormat::kTrec, passages(3), answer));
  ASSERT_EQ(run.size(), 2U);
  EXPECT_THAT(run[1], HasSubstr("d1 2 ")) << "ranks have no gaps";
  const std::string table = format(AnswerFormat::kTable, passages(3), answer);
  EXPECT_THAT(table, Not(HasSubstr("text 0")));
  EXPECT_THAT(table, HasSubstr("1 candidate left out as irrelevant"));
}

TEST(AnswerWriter, LeavesNothingOutWhereScoresOnlyCompare) {
  Answer answer = answer_of({1, 0});
  answer.relevance = {1, 0.5};
  answer.min_score = 0.7;
  const auto line = nlohmann::json::parse(format(AnswerFormat::kJsonl, passages(2), answer));
  EXPECT_EQ(line["ranking"].size(), 2U);
  EXPECT_EQ(line["left_out"], 0);
}

}  // namespace
}  // namespace rsd
