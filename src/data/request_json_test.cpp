#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "rsd/core/utf8.h"
#include "rsd/data/request_reader.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr char kFallbackId[] = "17";

Request parse(const std::string& line) {
  auto request = parse_request(line, kFallbackId);
  if (!request.ok()) ADD_FAILURE() << request.error().message();
  return request.ok() ? *request : Request();
}

std::string message(const std::string& line, const RequestLimits& limits = {}) {
  const auto request = parse_request(line, kFallbackId, limits);
  if (request.ok()) return "parsed: " + line;
  EXPECT_EQ(request.error().code(), ErrorCode::kInvalidInput);
  return request.error().message();
}

// A line of our shape around one candidates array.
std::string with_candidates(const std::string& array) {
  return R"({"id":"r","query":"q","candidates":)" + array + "}";
}

std::string with(const std::string& members) {
  return R"({"id":"r","candidates":[{"id":"a","text":"A"}],)" + members + "}";
}

struct BadLine {
  std::string line;
  std::string message;
};

void expect_messages(const std::vector<BadLine>& cases) {
  for (const auto& [line, expected] : cases) {
    SCOPED_TRACE(line);
    EXPECT_THAT(message(line), HasSubstr(expected));
  }
}

// ---- Our shape

TEST(ParseRequest, ReadsAQuery) {
  const Request request = parse(
      R"({"id":"r1","query":"fleas?","source":{"any":[1]},"task":"passage",)"
      R"("candidates":[{"id":"b","text":"B text","score":7.5,"x":1},{"id":"a","text":" A text "}],)"
      R"("relevance":{"a":2,"elsewhere":1,"b":0}})");
  EXPECT_EQ(request.id, "r1");
  EXPECT_EQ(request.task, Task::kPassage);
  EXPECT_EQ(request.query, "fleas?");
  EXPECT_THAT(request.history, IsEmpty());
  ASSERT_EQ(request.candidates.size(), 2u);
  EXPECT_EQ(request.candidates[0].id, "b");
  EXPECT_EQ(request.candidates[0].text, "B text");
  EXPECT_EQ(request.candidates[0].first_stage_score, 7.5);
  EXPECT_EQ(request.candidates[1].text, " A text ");
  EXPECT_EQ(request.candidates[1].first_stage_score, std::nullopt);
  EXPECT_THAT(request.relevance, ElementsAre(Pair("a", 2), Pair("b", 0), Pair("elsewhere", 1)));
}

TEST(ParseRequest, ReadsAHistory) {
  const Request request = parse(with(R"("history":["Hook","Robocop 2"])"));
  EXPECT_EQ(request.task, Task::kRecommendation);
  EXPECT_EQ(request.query, "");
  EXPECT_THAT(request.history, ElementsAre("Hook", "Robocop 2"));
}

TEST(ParseRequest, BlankTitlesAreLeftOutAndNumbersStandForTheirDigits) {
  EXPECT_THAT(parse(with(R"("history":["","Hook",null,300," \u3000",1984.5])")).history,
              ElementsAre("Hook", "300", "1984.5"));
}

TEST(ParseRequest, TaskDecidesBetweenQueryAndHistory) {
  const std::string both = R"("query":"q","history":["h"],)";
  const Request passage = parse(with(both + R"("task":"passage")"));
  EXPECT_EQ(passage.query, "q");
  EXPECT_THAT(passage.history, IsEmpty());
  const Request recommendation = parse(with(both + R"("task":"recommendation")"));
  EXPECT_EQ(recommendation.query, "");
  EXPECT_THAT(recommendation.history, ElementsAre("h"));
}

TEST(ParseRequest, IntegerIdsBecomeDecimalStrings) {
  const Request request = parse(R"({"id":42,"query":"q","candidates":[{"id":-7,"text":"A"},)"
                                R"({"id":18446744073709551615,"text":"B"}]})");
  EXPECT_EQ(request.id, "42");
  EXPECT_EQ(request.candidates[0].id, "-7");
  EXPECT_EQ(request.candidates[1].id, "18446744073709551615");
}

TEST(ParseRequest, IntegralFloatsAreGrades) {
  const Request request = parse(with(R"("query":"q","relevance":{"a":1.0,"b":-2e0})"));
  EXPECT_THAT(request.relevance, ElementsAre(Pair("a", 1), Pair("b", -2)));
}

TEST(ParseRequest, NullIsTheSameAsAbsent) {
  const Request request =
      parse(R"({"id":"r","query":"q","history":null,"task":null,"relevance":null,)"
            R"("candidates":[{"id":"a","text":"A","score":null,"doc":null,"docid":null}]})");
  EXPECT_EQ(request.task, Task::kPassage);
  EXPECT_EQ(request.candidates[0].first_stage_score, std::nullopt);
}

TEST(ParseRequest, OneCandidateIsEnough) {
  EXPECT_EQ(parse(with_candidates(R"([{"id":"a","text":"A"}])")).candidates.size(), 1u);
}

TEST(ParseRequest, AMegabyteOfTextIsNoFault) {
  const std::string text(1 << 20, 'x');
  const Request request = parse(with_candidates(R"([{"id":"a","text":")" + text + "\"}]"));
  EXPECT_EQ(request.candidates[0].text, text);
}

TEST(ParseRequest, EscapesBecomeCharacters) {
  const Request request = parse(with(R"("query":"caf\u00e9 \ud83c\udfae\n[{\"")"));
  EXPECT_EQ(request.query, "café 🎮\n[{\"");
}

TEST(ParseRequest, ATextThatEndsWithinAnEmojiCostsNoRequest) {
  const Request request = parse(
      R"({"id":"r","query":"q","x":"\ud83c","candidates":[{"id":"a","text":"cut \ud83c"},"B"]})");
  EXPECT_EQ(request.candidates[0].text, "cut \uFFFD");
}

TEST(ParseRequest, TheLastOfTwoEqualKeysCounts) {
  EXPECT_EQ(parse(with(R"("query":"old","query":"new")")).query, "new");
}

// ---- rank_llm's shape

TEST(ParseRequest, ReadsRankLlm) {
  const Request request =
      parse(R"({"query":{"text":"fleas?","qid":264014},"candidates":[)"
            R"({"docid":"d1","score":14.25,"doc":{"contents":"C","title":"T"}},)"
            R"({"docid":2,"score":3,"doc":{"segment":"S","text":"X"}},)"
            R"({"docid":"d3","doc":"plain"}]})");
  EXPECT_EQ(request.id, "264014");
  EXPECT_EQ(request.query, "fleas?");
  ASSERT_EQ(request.candidates.size(), 3u);
  EXPECT_EQ(request.candidates[0].id, "d1");
  EXPECT_EQ(request.candidates[0].text, "T. C");
  EXPECT_EQ(request.candidates[0].first_stage_score, 14.25);
  EXPECT_EQ(request.candidates[1].id, "2");
  EXPECT_EQ(request.candidates[1].text, "X");
  EXPECT_EQ(request.candidates[1].first_stage_score, 3);
  EXPECT_EQ(request.candidates[2].text, "plain");
}

TEST(ParseRequest, EveryTextKeyOfRankLlmIsRead) {
  for (const std::string key : {"text", "segment", "contents", "content", "body", "passage"}) {
    EXPECT_EQ(parse(with_candidates(R"([{"docid":"d","doc":{")" + key + R"(":"X"}}])"))
                  .candidates[0]
                  .text,
              "X");
  }
}

TEST(ParseRequest, ATitleStandsForAnEmptyText) {
  const auto text_of = [](const std::string& doc) {
    return parse(with_candidates(R"([{"docid":"d","doc":)" + doc + "}]")).candidates[0].text;
  };
  EXPECT_EQ(text_of(R"({"title":"T","text":" "})"), "T");
  EXPECT_EQ(text_of(R"({"title":"T"})"), "T");
  EXPECT_EQ(text_of(R"({"title":"","text":"X"})"), "X");
  EXPECT_EQ(text_of(R"({"title":null,"text":"","body":"B"})"), "B");
}

TEST(ParseRequest, PlainStringsGetLineAndPlaceAsIds) {
  const Request request = parse(R"({"query":"q","candidates":["A","B"]})");
  EXPECT_EQ(request.id, kFallbackId);
  EXPECT_EQ(request.candidates[0].id, "1");
  EXPECT_EQ(request.candidates[1].id, "2");
  EXPECT_EQ(request.candidates[1].text, "B");
}

TEST(ParseRequest, RankLlmWithoutQidTakesTheLinesIdOrTheFallback) {
  const std::string rest = R"("query":{"text":"q"},"candidates":[{"docid":"d","doc":"D"}]})";
  EXPECT_EQ(parse("{" + rest).id, kFallbackId);
  EXPECT_EQ(parse(R"({"id":"mine",)" + rest).id, "mine");
  EXPECT_EQ(parse(R"({"query":"q","candidates":[{"docid":"d","doc":"D"}]})").id, kFallbackId);
}

TEST(ParseRequest, TheIdIsFoundUnderTheNamesThatPeopleGiveIt) {
  const std::string rest =
      R"("candidates":[{"docid":"a","doc":{"text":"x"}},{"docid":"b","doc":"y"}]})";
  for (const std::string key : {"id", "_id", "qid", "query_id", "query-id", "topic_id"}) {
    EXPECT_EQ(parse("{\"" + key + R"(":"q77","query":"p",)" + rest).id, "q77") << key;
    EXPECT_EQ(parse(R"({"query":{"text":"p",")" + key + R"(":"q78"},)" + rest).id, "q78") << key;
    EXPECT_EQ(parse(R"({"id":null,")" + key + R"(":7,"history":["h"],)" + rest).id, "7") << key;
  }
  EXPECT_EQ(parse(R"({"qid":7,"query":{"text":"p","qid":"7"},)" + rest).id, "7");
  EXPECT_EQ(parse(R"({"query_id":"own","query":"p","candidates":[{"id":"a","text":"A"}]})").id,
            "own");
}

TEST(ParseRequest, IdsThatDisagreeAreAnErrorThatNamesBoth) {
  const std::string rest = R"("candidates":[{"id":"a","text":"A"}]})";
  expect_messages({
      {R"({"id":"1","query":{"text":"p","qid":"2"},)" + rest,
       "id is \"1\" and query.qid is \"2\"; they must be the same"},
      {R"({"_id":1,"qid":2,"query":"p",)" + rest, "_id is \"1\" and qid is \"2\""},
      {R"({"qid":"1","query_id":"2","history":["h"],)" + rest, "qid is \"1\" and query_id is"},
      {R"({"query":{"text":"p","_id":"1","id":"2"},)" + rest, "query.id is \"2\" and query._id"},
      {R"({"query":"p","hits":[{"qid":"9","docid":"a","content":"x"},)"
       R"({"qid":"8","docid":"b","content":"y"}]})",
       "hits[0].qid is \"9\" and hits[1].qid is \"8\""},
      {with_candidates(R"([{"id":"1","docid":"2","text":"A"}])"),
       "candidates[0].id is \"1\" and candidates[0].docid is \"2\"; they must be the same"},
      {R"({"qid":[1],"query":"p",)" + rest, "qid is [1]; it must be a string or an integer"},
      {R"({"query_id":" ","query":"p",)" + rest, "query_id is empty"},
  });
}

TEST(ParseRequest, TheIdOfAnInvalidLineIsFound) {
  EXPECT_EQ(request_id(R"({"qid":"q1","candidates":[]})"), "q1");
  EXPECT_EQ(request_id(R"({"query":{"query_id":3}})"), "3");
  EXPECT_EQ(request_id(R"({"id":"a","qid":"b"})"), std::nullopt);
  EXPECT_EQ(request_id("[1]"), std::nullopt);
  EXPECT_EQ(request_id("{"), std::nullopt);
}

TEST(ParseRequest, ALineOfOurShapeTakesTheFallbackWhereThatIsAsked) {
  const std::string line = R"({"query":"q","candidates":[{"id":"a","text":"A"}]})";
  EXPECT_THAT(message(line), HasSubstr("id is missing"));
  const RequestLimits lenient{.without_id = RequestLimits::WithoutId::kFallback};
  EXPECT_EQ(parse_request(line, kFallbackId, lenient)->id, kFallbackId);
}

TEST(ParseRequest, ReadsRankLlmsOlderFiles) {
  const Request request = parse(
      R"({"query":"fleas?","hits":[{"content":"Title: T Content: C","qid":264014,"docid":"d1",)"
      R"("rank":1,"score":14.9},{"content":"","qid":264014,"docid":"d2","rank":2,"score":3}]})");
  EXPECT_EQ(request.id, "264014");
  EXPECT_EQ(request.candidates[0].id, "d1");
  EXPECT_EQ(request.candidates[0].text, "Title: T Content: C");
  EXPECT_EQ(request.candidates[0].first_stage_score, 14.9);
  EXPECT_EQ(request.candidates[1].text, "");
  EXPECT_THAT(message(R"({"qid":1,"query":"q","hits":[{"content":"C","qid":2,"docid":"d"}]})"),
              HasSubstr("qid is \"1\" and hits[0].qid is \"2\""));
  EXPECT_THAT(message(R"({"qid":1,"query":"q","hits":[]})"), HasSubstr("hits is empty"));
}

TEST(ParseRequest, CandidatesMayBeDocumentsBesideTheirIds) {
  const Request request = parse(with_candidates(
      R"([{"docno":"a","text":"A"},{"doc_id":"b","title":"T","body":"B"},)"
      R"({"pid":"c","docid":"its document","passage":"C"},{"_id":4,"contents":"D"},)"
      R"({"docid":"e","text":"E"},{"id":"f","title":"not read","text":"F"},)"
      R"({"passage_id":"g","docid":"its document","text":"G"},{"id":7,"docid":"7","text":"H"}])"));
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "A"}, {"b", "T. B"}, {"c", "C"}, {"4", "D"},
      {"e", "E"}, {"f", "F"},    {"g", "G"}, {"7", "H"}};
  ASSERT_EQ(request.candidates.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(request.candidates[i].id, expected[i].first);
    EXPECT_EQ(request.candidates[i].text, expected[i].second);
  }
}

TEST(ParseRequest, BlankTextsAreEmptyAndKeepTheirPlaces) {
  const Request request = parse(with_candidates(
      R"([{"id":"a","text":" \n\u2003"},{"id":"b","text":null},"",{"docid":"d","doc":" "},)"
      R"({"docid":"e","doc":{"title":"","text":null}},{"id":"f","text":"F"}])"));
  ASSERT_EQ(request.candidates.size(), 6U);
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(request.candidates[i].text, "") << i;
  EXPECT_EQ(request.candidates[5].text, "F");
}

TEST(ParseRequest, NumbersStandForTheirDigitsInDocuments) {
  const Request request = parse(with_candidates(
      R"([{"docid":"d","doc":{"title":1984,"text":"X"}},{"docid":"e","doc":{"text":4.5}},)"
      R"({"id":"f","text":300}])"));
  EXPECT_EQ(request.candidates[0].text, "1984. X");
  EXPECT_EQ(request.candidates[1].text, "4.5");
  EXPECT_EQ(request.candidates[2].text, "300");
}

TEST(ParseRequest, WhatIsNoNumberIsAbsent) {
  const Request request = parse(
      R"({"id":"r","query":"NaN","extra":{"x":[NaN,-Infinity]},"candidates":[)"
      R"({"docid":"d","score":NaN,"doc":{"title":NaN,"text":"Infinity","weight":Infinity}}]})");
  EXPECT_EQ(request.query, "NaN");
  EXPECT_EQ(request.candidates[0].text, "Infinity");
  EXPECT_EQ(request.candidates[0].first_stage_score, std::nullopt);
  EXPECT_THAT(message(with(R"("query":"q","relevance":{"a":NaN})")),
              HasSubstr("relevance[\"a\"] is null; it must be an integer"));
}

// ---- Damage

TEST(ParseRequest, BrokenJsonIsReportedWithItsPlace) {
  expect_messages({
      {"", "broken JSON at byte 0 of the line: syntax error while parsing value - unexpected end"},
      {"{", "broken JSON at byte 1 of the line: syntax error while parsing object key"},
      {R"({"id":"r",})", "broken JSON at byte 11"},
      {R"({"id":nul})", "invalid literal"},
      {R"({"id":"r"} {"id":"s"})", "broken JSON at byte 12"},
      {R"({'id':'r'})", "broken JSON at byte 2"},
      {"{\"id\":\"a\tb\"}", "control character"},
      {R"({"id":"r","query":"cut of)", "missing closing quote"},
      {R"({"id":1e999})", "number overflow"},
      {R"({"id":NaNo})", "broken JSON at byte 10"},
      {"é", "broken JSON"},
      {"\xEF\xBB\xBF{", "broken JSON"},
      {R"([{"id":"r"}])", "the line is [{\"id\":\"r\"}]; it must be a JSON object"},
      {"null", "the line is null; it must be a JSON object"},
      {"12", "the line is 12; it must be a JSON object"},
  });
}

TEST(ParseRequest, InvalidUtf8IsReportedWithItsOffset) {
  expect_messages({
      {"{\"id\":\"\xFF\"}", "invalid UTF-8 at byte offset 7"},
      {"{\"id\":\"caf\xC3\"}", "invalid UTF-8 at byte offset 10"},
      {"{\"id\":\"\xED\xA0\x80\"}", "invalid UTF-8 at byte offset 7"},
      {"{\"id\":\"\xC0\xAF\"}", "invalid UTF-8 at byte offset 7"},
      {"\xFF\xFE{", "invalid UTF-8 at byte offset 0"},
  });
}

TEST(ParseRequest, DeepNestingIsRefusedBeforeItIsParsed) {
  const auto nested = [](std::size_t depth) {
    return with(R"("query":"q","extra":)" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_EQ(parse(nested(511)).id, "r");  // the line's object is the first level
  EXPECT_THAT(message(nested(512)), HasSubstr("nests deeper than 512 levels at byte offset"));
  EXPECT_THAT(message(nested(1'000'000)), HasSubstr("nests deeper than 512 levels"));
  EXPECT_THAT(message(std::string(1'000'000, '[')), HasSubstr("nests deeper than 512 levels"));
}

TEST(ParseRequest, BracketsInStringsDoNotNest) {
  const std::string brackets = std::string(100, '[') + R"(\"\\)" + std::string(100, '{');
  EXPECT_EQ(parse(with(R"("query":")" + brackets + "\"")).id, "r");
}

TEST(ParseRequest, QueryAndHistoryAreChecked) {
  expect_messages({
      {with(R"("source":"x")"), "query or history is missing"},
      {with(R"("query":null)"), "query or history is missing"},
      {with(R"("query":"")"), "query is empty"},
      {with(R"("query":" \t\n")"), "query is empty"},
      {with(R"("query":"\u2028\u3000")"), "query is empty"},
      {with(R"("query":12)"), "query is 12; it must be a string or an object"},
      {with(R"("query":["q"])"), "query is [\"q\"]; it must be a string or an object"},
      {with(R"("query":{})"), "query.text is missing"},
      {with(R"("query":{"text":""})"), "query.text is empty"},
      {with(R"("query":{"text":7})"), "query.text is 7; it must be a string"},
      {with(R"("history":[])"), "history is empty"},
      {with(R"("history":"Hook")"), "history is \"Hook\"; it must be an array of strings"},
      {with(R"("history":["Hook",true])"), "history[1] is true; it must be a string"},
      {with(R"("history":[""," ",null])"),
       "history has 3 titles, and all of them are blank; one must say something"},
      {with(R"("query":"q","history":["h"])"),
       "query and history are both there; task must choose one of them"},
  });
}

TEST(ParseRequest, TaskIsChecked) {
  expect_messages({
      {with(R"("query":"q","task":"search")"),
       R"(task is "search"; it must be "passage" or "recommendation")"},
      {with(R"("query":"q","task":"Passage")"), "task is \"Passage\""},
      {with(R"("query":"q","task":1)"), "task is 1; it must be \"passage\" or"},
      {with(R"("query":"q","task":"recommendation")"),
       "history is missing; the task \"recommendation\" needs it"},
      {with(R"("history":["h"],"task":"passage")"),
       "query is missing; the task \"passage\" needs it"},
  });
}

TEST(ParseRequest, RequestIdsAreChecked) {
  const std::string rest = R"("query":"q","candidates":[{"id":"a","text":"A"}]})";
  expect_messages({
      {"{" + rest, "id is missing"},
      {R"({"id":null,)" + rest, "id is missing"},
      {R"({"id":"",)" + rest, "id is empty"},
      {R"({"id":"  ",)" + rest, "id is empty"},
      {R"({"id":1.5,)" + rest, "id is 1.5; it must be a string or an integer"},
      {R"({"id":true,)" + rest, "id is true; it must be a string or an integer"},
      {R"({"id":{"a":1},)" + rest, "id is {\"a\":1}; it must be a string or an integer"},
      {R"({"query":{"text":"q","qid":""},"candidates":["A"]})", "query.qid is empty"},
      {R"({"query":{"text":"q","qid":[1]},"candidates":["A"]})", "query.qid is [1]; it must be"},
  });
}

TEST(ParseRequest, CandidatesAreChecked) {
  expect_messages({
      {R"({"id":"r","query":"q"})", "candidates is missing"},
      {with_candidates("[]"), "candidates is empty"},
      {with_candidates(R"({"a":"A"})"), "candidates is {\"a\":\"A\"}; it must be an array"},
      {with_candidates("[1]"), "candidates[0] is 1; it must be a string or an object"},
      {with_candidates(R"([{"id":"a","text":"A"},null])"), "candidates[1] is null; it must be"},
      {with_candidates(R"([""])"), "candidates has 1 entries, and all their texts are blank"},
      {with_candidates(R"([{"text":"A"}])"), "candidates[0].id is missing"},
      {with_candidates(R"([{"id":"","text":"A"}])"), "candidates[0].id is empty"},
      {with_candidates(R"([{"id":0.5,"text":"A"}])"), "candidates[0].id is 0.5; it must be"},
      {with_candidates(R"([{"id":"a"}])"), "candidates[0].text is missing"},
      {with_candidates(R"([{"id":"a","text":" \n "},{"id":"b","text":null},"\u3000"])"),
       "candidates has 3 entries, and all their texts are blank; one must say something"},
      {with_candidates(R"([{"id":"a","text":["A"]}])"), "candidates[0].text is [\"A\"]"},
      {with_candidates(R"([{"id":"a","text":"A","score":"7"}])"),
       "candidates[0].score is \"7\"; it must be a number"},
      {with_candidates(R"([{"id":"a","text":"A"},{"id":"b","text":"B"},{"id":"a","text":"C"}])"),
       "the id \"a\" of candidates[2] is the id of candidates[0] already"},
      {with_candidates(R"([{"id":1,"text":"A"},{"id":"1","text":"B"}])"), "the id \"1\""},
      {with_candidates(R"([{"id":"2","text":"A"},"B"])"), "the id \"2\" of candidates[1]"},
  });
}

TEST(ParseRequest, DocumentsOfRankLlmAreChecked) {
  expect_messages({
      {with_candidates(R"([{"doc":"D"}])"), "candidates[0].docid is missing"},
      {with_candidates(R"([{"docid":"d"}])"), "candidates[0].doc is missing"},
      {with_candidates(R"([{"docid":"d","doc":""}])"), "all their texts are blank"},
      {with_candidates(R"([{"docid":"d","doc":null}])"), "candidates[0].doc is missing"},
      {with_candidates(R"([{"docid":"d","doc":4}])"),
       "candidates[0].doc is 4; it must be a string"},
      {with_candidates(R"([{"docid":"d","doc":{}}])"), "candidates[0].doc has no text"},
      {with_candidates(R"([{"docid":"d","doc":{"text":" ","title":""}}])"), "texts are blank"},
      {with_candidates(R"([{"docid":"d","doc":{"text":["X"]}}])"), "candidates[0].doc.text is [\""},
      {with_candidates(R"([{"docid":"d","doc":{"text":"X","title":true}}])"),
       "candidates[0].doc.title is true; it must be a string"},
  });
}

TEST(ParseRequest, RelevanceIsChecked) {
  expect_messages({
      {with(R"("query":"q","relevance":["a"])"), "relevance is [\"a\"]; it must be an object"},
      {with(R"("query":"q","relevance":{"a":1.5})"),
       "relevance[\"a\"] is 1.5; it must be an integer between -2147483648 and 2147483647"},
      {with(R"("query":"q","relevance":{"a":"1"})"), "relevance[\"a\"] is \"1\""},
      {with(R"("query":"q","relevance":{"a":true})"), "relevance[\"a\"] is true"},
      {with(R"("query":"q","relevance":{"a":null})"), "relevance[\"a\"] is null"},
      {with(R"("query":"q","relevance":{"a":2147483648})"), "relevance[\"a\"] is 2147483648"},
      {with(R"("query":"q","relevance":{"a":1e300})"), "relevance[\"a\"] is 1e+300"},
  });
}

TEST(ParseRequest, LimitsAreNamed) {
  const std::string line = with_candidates(R"(["A","B","C"])");
  EXPECT_THAT(message(line, {.max_candidates = 2}),
              HasSubstr("candidates has 3 entries; max_candidates is 2"));
  EXPECT_TRUE(parse_request(line, kFallbackId, {.max_candidates = 3}).ok());
  EXPECT_THAT(
      message(line, {.max_line_bytes = 20}),
      HasSubstr("the line has " + std::to_string(line.size()) + " bytes; max_line_bytes is 20"));
}

TEST(ParseRequest, LongValuesAreCutInMessages) {
  std::string text;
  for (int i = 0; i < 100'000; ++i)
    text += "é";
  const std::string quoted = '"' + text + '"';
  const std::vector<std::string> lines = {
      with(R"("query":[)" + quoted + "]"),
      with(R"("query":"q","task":)" + quoted),
      with(R"("query":"q","relevance":{)" + quoted + ":" + quoted + "}"),
      with_candidates(R"([{"id":)" + quoted + R"(,"text":"A"},{"id":)" + quoted +
                      R"(,"text":"B"}])"),
      R"({"id":"r","query":)" + quoted + R"(,"candidates":oops})",
      R"({"id":"r","query":")" + text,
      "{\"id\":" + std::string(100'000, '9') + "e99999}",
      text,
  };
  for (const std::string& line : lines) {
    const std::string fault = message(line);
    EXPECT_LT(fault.size(), 400u) << fault;
    EXPECT_FALSE(fault.starts_with("parsed"));
  }
}

TEST(ParseRequest, EveryCutOfALineIsAnErrorAndNoCrash) {
  const std::string line =
      R"({"id":"r","query":"café","candidates":[{"id":"a","text":"A"}],"relevance":{"a":1}})";
  for (std::size_t length = 0; length < line.size(); ++length) {
    EXPECT_FALSE(parse_request(line.substr(0, length), kFallbackId).ok()) << length;
  }
}

TEST(ParseRequest, EveryDamagedByteIsHarmlessOrReportedInValidUtf8) {
  const std::string line =
      R"({"id":"r","query":"café","candidates":[{"id":"a","text":"A"}],"relevance":{"a":1}})";
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (const char byte : {'\0', '"', '{', ']', ',', '\\', '\x80', '\xC3', '\xFF'}) {
      std::string damaged = line;
      damaged[at] = byte;
      const auto request = parse_request(damaged, kFallbackId);
      if (!request.ok()) {
        EXPECT_FALSE(find_invalid_utf8(request.error().message())) << damaged;
      }
    }
  }
}

// ---- Candidates that are given by their ids

TEST(ParseRequest, LooksUpTextsOfIdsAlone) {
  const RequestLimits limits{
      .texts = [](const std::string& id) -> Result<std::optional<std::string>> {
        if (id == "bad") return Error(ErrorCode::kInvalidInput, "the index is damaged");
        return id.starts_with('m') ? std::optional("text of " + id) : std::nullopt;
      }};
  const auto request = parse_request(
      with_candidates(R"([{"id":"m1"},{"id":"m2","text":"own"},{"docid":7,"doc":"x"},"m3",)"
                      R"({"docid":"m4","score":2},{"id":"m5","text":null}])"),
      kFallbackId, limits);
  ASSERT_TRUE(request) << request.error().message();
  std::vector<std::string> texts;
  for (const Candidate& candidate : request->candidates)
    texts.push_back(candidate.text);
  EXPECT_THAT(texts, ElementsAre("text of m1", "own", "x", "m3", "text of m4", ""));
  EXPECT_THAT(message(with_candidates(R"([{"id":"m1"},{"id":"x"}])"), limits),
              HasSubstr("candidates[1] has no text, and its id \"x\" is not in the index"));
  EXPECT_THAT(message(with_candidates(R"([{"id":"bad"}])"), limits),
              HasSubstr("candidates[0]: the index is damaged"));
  EXPECT_THAT(message(with_candidates(R"([{"id":"m1"}])")), HasSubstr("text is missing"));
}

}  // namespace
}  // namespace rsd
