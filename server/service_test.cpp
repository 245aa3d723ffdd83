#include "server/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>

#include "rsd/data/answer_writer.h"
#include "server/page_files.h"
#include "server/synthetic_engine_test.h"

namespace rsd::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    auto engine = std::make_unique<SyntheticEngine>(gate_);
    engine_ = engine.get();
    service_.start(synthetic_ranker(std::move(engine), /*parallel=*/1));
  }
  void TearDown() override { gate_.open(); }

  Call call(const std::string& body) {
    return {.body = body,
            .header_of = [this](const char* name) -> std::optional<std::string> {
              const auto found = headers_.find(name);
              if (found == headers_.end()) return std::nullopt;
              return found->second;
            },
            .hung_up = [this] { return hung_up_.load(); },
            .request_id = "call-1",
            .arrival = Clock::now()};
  }
  Reply rerank(const std::string& body, RerankRoute route = RerankRoute::kV1) {
    return service_.rerank(call(body), route);
  }
  Reply rank(const std::string& body) { return service_.rank(call(body)); }

  static Json json_of(const Reply& reply) { return Json::parse(reply.body); }
  static std::string header(const Reply& reply, const std::string& name) {
    for (const auto& [key, value] : reply.headers)
      if (key == name) return value;
    return "";
  }
  // What the LLM itself would say, by index.
  static std::vector<std::size_t> target(const std::string& query, std::size_t n_items) {
    std::vector<std::size_t> items;
    for (const ItemId item : SyntheticScorer(SyntheticEngine::options(query, n_items)).target())
      items.push_back(item.slot());
    return items;
  }
  static std::vector<std::size_t> indices(const Json& results) {
    std::vector<std::size_t> items;
    for (const Json& result : results)
      items.push_back(result["index"]);
    return items;
  }
  static std::string documents(std::size_t n) {
    Json list = Json::array();
    for (std::size_t i = 0; i < n; ++i)
      list.push_back("text " + std::to_string(i));
    return list.dump();
  }
  // The beginning of a call to /v1/rank, up to where other fields follow.
  static std::string list_of(std::size_t n) {
    Json list = Json::array();
    for (std::size_t i = 0; i < n; ++i)
      list.push_back({{"id", i}, {"text", "text " + std::to_string(i)}});
    return R"({"query":"q","candidates":)" + list.dump();
  }
  // The windows in the answer to a list; null if it has none.
  Json rank_windows(std::size_t n, const std::string& fields) {
    const Reply reply = rank(list_of(n) + fields + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json_of(reply)["answers"][0].value("windows", Json());
  }
  void expect_refused(const Reply& reply, int status, const std::string& message) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(message));
    EXPECT_TRUE(json_of(reply).contains("error"));
  }

  Gate gate_;
  SyntheticEngine* engine_ = nullptr;  // the service's
  std::map<std::string, std::string> headers_;
  std::atomic<bool> hung_up_{false};
  Service service_{{.max_candidates = 50, .jobs = {.queue = 3}}, {.decoder = DecoderKind::kExact}};
};

// ---- rerank -----------------------------------------------------------------------------------

TEST_F(ServiceTest, RerankIsSortedAndScoredAndCounted) {
  const Reply reply = rerank(R"({"model":"any","query":"q","return_documents":false,"documents":)" +
                             documents(8) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json body = json_of(reply);
  EXPECT_EQ(indices(body["results"]), target("q", 8));
  double last = 1.1;
  for (const Json& result : body["results"]) {
    EXPECT_LT(result["relevance_score"], last);
    last = result["relevance_score"];
    EXPECT_FALSE(result.contains("document"));
    EXPECT_FALSE(result.contains("raw_score"));
  }
  EXPECT_GT(last, 0);
  EXPECT_EQ(body["model"], "synthetic");
  EXPECT_EQ(body["id"], "call-1");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 100);
  EXPECT_GE(body["usage"]["total_tokens"], 107);
  EXPECT_EQ(header(reply, "X-RSD-Verified-Prefix"), "8");
  EXPECT_EQ(header(reply, "X-RSD-Encodings"),
            std::to_string(body["usage"]["encodings"].get<int>()));
  EXPECT_EQ(header(reply, "X-RSD-Deadline-Hit"), "false");
}

TEST_F(ServiceTest, DocumentsMayBeObjectsAndAreReturnedWhenAskedFor) {
  const Reply reply = rerank(
      R"({"query":"q","documents":[{"text":"same","title":"x"},"same","other"],
          "return_documents":true,"raw_scores":true,"top_n":2})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json results = json_of(reply)["results"];
  ASSERT_EQ(results.size(), 2U);
  auto expected = target("q", 3);
  expected.resize(2);
  EXPECT_EQ(indices(results), expected);
  for (const Json& result : results) {
    EXPECT_EQ(result["document"]["text"], result["index"] == 2 ? "other" : "same");
    EXPECT_LT(result["raw_score"], 0);
  }
}

TEST_F(ServiceTest, TopNMayBeLargerThanTheList) {
  const Json body = json_of(rerank(R"({"query":"q","documents":["a","b"],"top_n":99})"));
  EXPECT_EQ(body["results"].size(), 2U);
}

TEST_F(ServiceTest, ATopNOf0IsAll) {
  const Json body = json_of(rerank(R"({"query":"q","documents":["a","b"],"top_n":0})"));
  EXPECT_EQ(body["results"].size(), 2U);
  EXPECT_EQ(body["usage"]["verified_prefix"], 2);
}

TEST_F(ServiceTest, DocumentsAreReturnedAsTheRoutesOwnServerReturnsThem) {
  const auto has_text = [&](RerankRoute route, const std::string& list, const std::string& more) {
    const Json body =
        json_of(rerank("{\"query\":\"q\",\"" + list + R"(":["a","b"])" + more + "}", route));
    const Json& first = body.is_array() ? body[0] : body["results"][0];
    return first.contains("document") || first.contains("text");
  };
  EXPECT_TRUE(has_text(RerankRoute::kV1, "documents", ""));
  EXPECT_TRUE(has_text(RerankRoute::kPlain, "documents", ""));
  EXPECT_FALSE(has_text(RerankRoute::kPlain, "documents", R"(,"return_documents":false)"));
  EXPECT_FALSE(has_text(RerankRoute::kPlain, "texts", ""));
  EXPECT_TRUE(has_text(RerankRoute::kPlain, "texts", R"(,"return_text":true)"));
  for (const RerankRoute route : {RerankRoute::kV2, RerankRoute::kLlamaServer}) {
    EXPECT_FALSE(has_text(route, "documents", ""));
    EXPECT_TRUE(has_text(route, "documents", R"(,"return_documents":true)"));
  }
}

TEST_F(ServiceTest, UnknownFieldsOfARerankAreNamedInAHeaderAndForTheLog) {
  const Reply reply =
      rerank(R"({"query":"q","documents":["a","b"],"kwargs":"{}","return_len":null,"topn":1})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(header(reply, "X-RSD-Ignored-Fields"), "kwargs, return_len, topn");
  EXPECT_EQ(reply.notes.ignored_fields, "kwargs, return_len, topn");
  const Reply refused = rerank(R"({"query":"q","documnts":["a","b"]})");
  expect_refused(refused, 400, "documents is missing");
  EXPECT_EQ(header(refused, "X-RSD-Ignored-Fields"), "documnts");
  EXPECT_EQ(header(rerank(R"({"query":"q","documents":["a"]})"), "X-RSD-Ignored-Fields"), "");
}

TEST(Service, RefusesUnknownFieldsOfARerankWhereItIsStrict) {
  Gate gate;
  Service service({.unknown_fields = UnknownFields::kRefused}, {.decoder = DecoderKind::kAr});
  service.start(synthetic_ranker(std::make_unique<SyntheticEngine>(gate), 1));
  const auto reply_to = [&](const char* body, RerankRoute route) {
    const Call call{.body = body,
                    .header_of = [](const char*) { return std::nullopt; },
                    .hung_up = [] { return false; },
                    .request_id = "call-1",
                    .arrival = Clock::now()};
    return service.rerank(call, route);
  };
  const Reply cohere = reply_to(R"({"query":"q","documents":["a"],"topn":1})", RerankRoute::kV2);
  EXPECT_EQ(cohere.status, 400);
  EXPECT_THAT(cohere.body, HasSubstr("unknown fields: topn"));
  EXPECT_EQ(reply_to(R"({"query":"q","texts":["a"],"topn":1})", RerankRoute::kPlain).status, 422);
  EXPECT_EQ(reply_to(R"({"query":"q","documents":["a"]})", RerankRoute::kV2).status, 200);
}

TEST_F(ServiceTest, InfinitysDocumentIsAString) {
  const std::string body = R"({"query":"q","documents":["a","b"])";
  const Json body_with_texts =
      json_of(rerank(body + R"(,"return_documents":true})", RerankRoute::kInfinity));
  EXPECT_EQ(body_with_texts["object"], "rerank");
  for (const Json& result : body_with_texts["results"])
    EXPECT_EQ(result["document"], result["index"] == 0 ? "a" : "b");
  const Json silent = json_of(rerank(body + "}", RerankRoute::kInfinity));
  for (const Json& result : silent["results"])
    EXPECT_TRUE(result.at("document").is_null());
}

TEST_F(ServiceTest, TokensAreReportedWhereCoheresXinferencesAndSiliconflowsClientsLook) {
  const Json meta = json_of(rerank(R"({"query":"q","documents":["a","b"]})"))["meta"];
  EXPECT_EQ(meta["tokens"], (Json{{"input_tokens", 100}, {"output_tokens", 0}}));
}

TEST_F(ServiceTest, FieldsAndHeadersChooseTheDecoding) {
  headers_ = {{"X-RSD-Decoder", "rsd"}, {"X-RSD-Budget", "2"}};
  const std::string documents_of_20 = R"("query":"q","documents":)" + documents(20);
  EXPECT_EQ(header(rerank("{" + documents_of_20 + "}"), "X-RSD-Encodings"), "2");
  EXPECT_EQ(header(rerank(R"({"budget":1,)" + documents_of_20 + "}"), "X-RSD-Encodings"), "1");
  const Reply ar = rerank(R"({"decoder":"ar",)" + documents_of_20 + "}");
  EXPECT_EQ(header(ar, "X-RSD-Encodings"), "19");
  for (const char* no_number : {"none", ""}) {
    headers_ = {{"X-RSD-Budget", no_number}};
    expect_refused(rerank("{" + documents_of_20 + "}"), 400, "X-RSD-Budget is ");
  }
}

TEST_F(ServiceTest, BadRerankRequestsAreRefusedWithTheReason) {
  const struct {
    const char* body;
    int status;
    const char* message;
  } bad[] = {
      {"", 400, "broken JSON"},
      {"[]", 400, "must be a JSON object"},
      {R"({"documents":["a"]})", 400, "query is missing"},
      {R"({"query":"q"})", 400, "documents is missing"},
      {R"({"query":"q","documents":[]})", 400, "documents is empty"},
      {R"({"query":"q","documents":"a"})", 400, "it must be an array"},
      {R"({"query":"q","documents":["a",5]})", 400, "documents[1] is 5"},
      {R"({"query":"q","documents":["a",{"title":"x"}]})", 400, "documents[1] is"},
      {R"({"query":"q","documents":[""," "]})", 400, "nothing but blank texts"},
      {R"({"query":" ","documents":["a"]})", 400, "query is empty"},
      {R"({"query":5,"documents":["a"]})", 400, "query is 5"},
      {R"({"query":"q","documents":["a"],"top_n":-1})", 400, "top_n is -1"},
      {R"({"query":"q","documents":["a"],"truncate":"yes"})", 400, "truncate is"},
      {R"({"query":"q","documents":["a"],"query":"p"})", 400, "query"},
      {R"({"query":"q","documents":["a","b"],"decoder":"best"})", 400, "decoder"},
      {R"({"query":"q","documents":["a"],"truncation_direction":"Left"})", 400, "Left"},
      {R"({"query":"q","documents":["a"],"deadline_ms":-1})", 400, "deadline_ms"},
  };
  for (const auto& [body, status, message] : bad) {
    const Reply reply = rerank(body);
    expect_refused(reply, status, message);
    const Json error = json_of(reply);
    EXPECT_EQ(error["message"], error["detail"]);
    EXPECT_EQ(error["error"]["code"], status);
  }
}

TEST_F(ServiceTest, TooManyCandidatesAre413) {
  expect_refused(rerank(R"({"query":"q","documents":)" + documents(51) + "}"), 413, "at most 50");
}

TEST_F(ServiceTest, MoreCandidatesThanAPromptHoldsAreRankedInWindows) {
  const std::string body = R"({"query":"q","documents":)" + documents(45);
  const Reply reply = rerank(body + "}");
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(json_of(reply)["results"].size(), 45U);
  // 45 in windows of 20, 10 apart.
  EXPECT_EQ(rank_windows(45, "")["count"], 4);
  EXPECT_EQ(rank_windows(45, R"(,"window":30)")["count"], 2);
  EXPECT_EQ(rank_windows(30, R"(,"window":20,"stride":5)")["count"], 3);
  EXPECT_TRUE(rank_windows(30, "").is_null()) << "they fit one prompt";
  EXPECT_GE(rank_windows(45, R"(,"window_method":"top-down")")["count"], 3);
  expect_refused(rerank(body + R"(,"stride":20})"), 400, "stride 20 is not between 1 and 19");
}

TEST_F(ServiceTest, ABudgetHoldsForAllWindowsOfAList) {
  const Reply reply = rank(list_of(45) + R"(,"decoder":"rsd","budget":6})");
  const Json answer = json_of(reply)["answers"][0];
  EXPECT_LE(answer["encodings"], 6);
  EXPECT_EQ(answer["budget"], 6);
  EXPECT_EQ(answer["ranking"].size(), 45U);
}

TEST_F(ServiceTest, TextsAreCutUnlessThatIsRefused) {
  const std::string body = R"({"query":"q","documents":["123456789","1"],"max_tokens_per_doc":4)";
  EXPECT_EQ(header(rerank(body + "}"), "X-RSD-Truncated"), "1");
  EXPECT_EQ(header(rerank(body + R"(,"truncate":true})"), "X-RSD-Truncated"), "1");
  expect_refused(rerank(body + R"(,"truncate":false})"), 413, "1 text would have to be cut");
}

TEST_F(ServiceTest, DocumentsThatDoNotFitTogetherAreRankedInWindowsAndNoneIsCut) {
  const std::string text(400, 'x');
  std::string list;
  for (int i = 0; i < 15; ++i)
    list += (i > 0 ? ",\"" : "\"") + text + std::to_string(i) + "\"";
  const Reply reply = rerank(R"({"query":"q","documents":[)" + list + "]}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(json_of(reply)["results"].size(), 15U);
  EXPECT_EQ(header(reply, "X-RSD-Truncated"), "0");
  EXPECT_GE(std::stoi(header(reply, "X-RSD-Windows")), 2);
  const Json warnings = json_of(reply)["meta"]["warnings"];
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], testing::HasSubstr("windows of up to 9 documents"));
}

TEST_F(ServiceTest, BlankDocumentsComeLastWithTheLowestScores) {
  const Json results =
      json_of(rerank(R"({"query":"q","documents":["","a"," \t","b","c"]})"))["results"];
  ASSERT_EQ(results.size(), 5U);
  const std::vector<std::size_t> with_text{1, 3, 4};
  std::vector<std::size_t> expected;
  for (const std::size_t item : target("q", 3))
    expected.push_back(with_text[item]);
  expected.insert(expected.end(), {0, 2});
  EXPECT_EQ(indices(results), expected);
  for (std::size_t i = 1; i < results.size(); ++i)
    EXPECT_LT(results[i]["relevance_score"], results[i - 1]["relevance_score"]);
  EXPECT_LT(results[3]["relevance_score"], 0.01);
  EXPECT_GT(results[4]["relevance_score"], 0);
}

TEST_F(ServiceTest, RoundsCoverAllCandidatesThoughBlankOnesWereNotRanked) {
  const Reply reply = rank(
      R"({"query":"q","rounds":true,"candidates":[{"id":"a","text":""},{"id":"b","text":"1"},
          {"id":"c","text":"2"},{"id":"d","text":"3"}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answer = json_of(reply)["answers"][0];
  EXPECT_EQ(answer["verified_prefix"], 4) << "the blank one's place is known, too";
  EXPECT_EQ(answer["ranking"][3], "a");
  const Json& logits = answer["rounds"][0]["logits"][0];
  ASSERT_EQ(logits.size(), 4U);
  EXPECT_TRUE(logits[0].is_null());
  EXPECT_TRUE(logits[1].is_number());
  for (const Json& item : answer["rounds"][1]["proposal"])
    EXPECT_GE(item, 1);
}

TEST_F(ServiceTest, ALongQueryIsCutAndReportedUnlessThatIsRefused) {
  const std::string body = R"({"documents":["a","b"],"query":")" + std::string(100'000, 'q') + "\"";
  const Reply reply = rerank(body + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(header(reply, "X-RSD-Query-Truncated"), "true");
  EXPECT_EQ(json_of(reply)["meta"]["warnings"], Json::array({"the query was cut"}));
  EXPECT_EQ(header(reply, "X-RSD-Truncated"), "0");
  expect_refused(rerank(body + R"(,"truncate":false})"), 413,
                 "the query or the history would have to be cut");
}

TEST_F(ServiceTest, OneDocumentNeedsNoLlm) {
  const Reply reply = rerank(R"({"query":"q","documents":["only"]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(indices(json_of(reply)["results"]), std::vector<std::size_t>{0});
  EXPECT_EQ(header(reply, "X-RSD-Encodings"), "0");
  EXPECT_EQ(gate_.n_passes(), 0U);
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_rankings_total 1"));
}

TEST_F(ServiceTest, TeisShapeIsABareArray) {
  const std::string texts = R"("query":"q","texts":)" + documents(5);
  const Json plain = json_of(rerank("{" + texts + "}", RerankRoute::kPlain));
  ASSERT_TRUE(plain.is_array());
  EXPECT_EQ(indices(plain), target("q", 5));
  EXPECT_GT(plain[0]["score"], plain[1]["score"]);
  const Json full =
      json_of(rerank("{" + texts + R"(,"raw_scores":true,"return_text":true,"truncate":true,
                        "truncation_direction":"Right"})",
                     RerankRoute::kPlain));
  EXPECT_LT(full[0]["score"], 0);
  EXPECT_EQ(full[0]["text"], "text " + std::to_string(full[0]["index"].get<int>()));
}

TEST_F(ServiceTest, TeisErrorsAreItsOwn) {
  const auto refused = [&](const std::string& body, int status, const std::string& type) {
    const Reply reply = rerank(body, RerankRoute::kPlain);
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_TRUE(json_of(reply)["error"].is_string());
    EXPECT_EQ(json_of(reply)["error_type"], type);
  };
  refused(R"({"query":"q","texts":[]})", 400, "empty");
  refused(R"({"query":"q","texts":[5]})", 422, "validation");
  refused(R"({"query":"q","texts":["a"],"truncation_direction":"Left"})", 422, "validation");
  refused(R"({"query":"q","texts":["a"],"truncate":"yes"})", 422, "validation");
  refused(R"({"query":"q","texts":["a"],"decoder":"best"})", 422, "validation");
  headers_ = {{"X-RSD-Budget", "none"}};
  refused(R"({"query":"q","texts":["a"]})", 422, "validation");
}

TEST(Service, ReportsAFailedLlmAsTheShapesOwnServerDoes) {
  Gate gate;
  Service service({}, {.decoder = DecoderKind::kAr});
  auto engine = std::make_unique<SyntheticEngine>(gate);
  engine->failing_encoding = 0;
  service.start(synthetic_ranker(std::move(engine), 1));
  const auto status_of = [&](const char* body) {
    const Call call{.body = body,
                    .header_of = [](const char*) { return std::nullopt; },
                    .hung_up = [] { return false; },
                    .request_id = "call-1",
                    .arrival = Clock::now()};
    return service.rerank(call, RerankRoute::kPlain).status;
  };
  EXPECT_EQ(status_of(R"({"query":"q","documents":["a","b"]})"), 500);
  EXPECT_EQ(status_of(R"({"query":"q","texts":["a","b"]})"), 424);
}

TEST_F(ServiceTest, DocumentsOnThePlainRouteGetTheObject) {
  const Json body = json_of(rerank(R"({"query":"q","documents":["a","b"]})", RerankRoute::kPlain));
  EXPECT_EQ(body["results"].size(), 2U);
}

// ---- rank -------------------------------------------------------------------------------------

constexpr const char* kOne =
    R"({"id":"r1","query":"q","candidates":[{"id":"x","text":"1"},{"id":"y","text":"2"},)"
    R"({"id":"z","text":"3"}])";

TEST_F(ServiceTest, RankAnswersWithTheFieldsOfAnAnswerLine) {
  const Reply reply = rank(std::string(kOne) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answer = json_of(reply)["answers"][0];
  const std::vector<std::string> ids{"x", "y", "z"};
  std::vector<std::string> expected;
  for (const std::size_t item : target("q", 3))
    expected.push_back(ids[item]);
  EXPECT_EQ(answer["ranking"], Json(expected));
  EXPECT_EQ(answer["id"], "r1");
  EXPECT_EQ(answer["verified_prefix"], 3);
  EXPECT_EQ(answer["relevance_scores"].size(), 3U);
  EXPECT_FALSE(answer.contains("rounds"));
  const auto line = *format_answer(
      AnswerFormat::kJsonl,
      {.id = "r", .candidates = {{.id = "a", .text = "t", .first_stage_score = std::nullopt}}},
      {.ranking = Ranking::identity(1)}, "");
  const Json expected_fields = Json::parse(line);
  for (const auto& [field, value] : expected_fields.items())
    EXPECT_TRUE(answer.contains(field)) << field;
}

TEST_F(ServiceTest, RoundsAreReportedOnDemand) {
  const Json answer = json_of(
      rank(std::string(kOne) + R"(,"rounds":true,"decoder":"rsd","budget":2})"))["answers"][0];
  const Json& rounds = answer["rounds"];
  ASSERT_EQ(rounds.size(), answer["encodings"]);
  EXPECT_EQ(rounds[0]["proposal"], Json::array());
  EXPECT_EQ(rounds[0]["known"].size(), 1U);
  EXPECT_EQ(rounds[0]["logits"][0].size(), 3U);
  EXPECT_TRUE(rounds[0].contains("ms"));
  EXPECT_EQ(rounds[1]["proposal"].size(), 3U);
}

TEST_F(ServiceTest, AListKeepsItsOrderAndAnItemThatFailsTakesNoOtherAlong) {
  const Reply reply = rank(
      R"({"decoder":"ar","requests":[{"query":"q","candidates":[{"id":"a","text":"1"},
          {"id":"b","text":"2"}]},{"id":"bad","query":"q"},{"id":"one","query":"q",
          "candidates":[{"id":"c","text":"1"}]}]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answers = json_of(reply)["answers"];
  EXPECT_EQ(answers[0]["id"], "0");
  EXPECT_EQ(answers[0]["decoder"], "ar");
  EXPECT_EQ(answers[1]["id"], "bad");
  EXPECT_EQ(answers[1]["error"]["code"], 400);
  EXPECT_THAT(answers[1]["error"]["message"].get<std::string>(),
              HasSubstr("candidates is missing"));
  EXPECT_EQ(answers[2]["ranking"], Json::array({"c"}));
}

TEST_F(ServiceTest, AListsItemsHaveIdsOfTheirOwnAndNoOptions) {
  const std::string list = R"(,"query":"q","candidates":[{"id":"c","text":"1"}])";
  const Json answers = json_of(rank(R"({"requests":[{"id":"a")" + list + R"(},{"id":"a")" + list +
                                    R"(},{"id":"b")" + list + R"(,"budget":1}]})"))["answers"];
  EXPECT_TRUE(answers[0].contains("ranking"));
  EXPECT_EQ(answers[1]["error"]["message"], "the id a is repeated");
  EXPECT_EQ(answers[2]["error"]["message"], "the field \"budget\" is unknown");
}

TEST_F(ServiceTest, IdsAreFoundUnderTheNamesThatRequestLinesHave) {
  const std::string list = R"("candidates":[{"docid":"c","doc":{"text":"1"}}])";
  const auto id_of = [&](const std::string& fields) {
    const Json answers = json_of(rank("{" + fields + "," + list + "}"))["answers"];
    return answers[0]["id"].get<std::string>();
  };
  for (const std::string key : {"id", "_id", "qid", "query_id", "query-id", "topic_id"}) {
    EXPECT_EQ(id_of("\"" + key + R"(":"q77","query":"q")"), "q77");
    EXPECT_EQ(id_of(R"("query":{"text":"q",")" + key + R"(":78})"), "78");
  }
  EXPECT_EQ(id_of(R"("query":"q")"), "call-1");
  const Json answers = json_of(rank(R"({"requests":[{"qid":"x","query":"q",)" + list +
                                    R"(},{"query_id":"x","query":"q",)" + list +
                                    R"(},{"qid":"bad","query":"q"}]})"))["answers"];
  EXPECT_EQ(answers[0]["id"], "x");
  EXPECT_EQ(answers[1]["error"]["message"], "the id x is repeated");
  EXPECT_EQ(answers[2]["id"], "bad");
  EXPECT_EQ(id_of(R"("query":"q","hits":null)"), "call-1");
  const Json older = json_of(rank(R"({"query":"q","hits":[{"docid":"a","qid":5,"content":"x"}]})"));
  EXPECT_EQ(older["answers"][0]["id"], "5");
  expect_refused(rank(R"({"id":"1","qid":"2","query":"q",)" + list + "}"), 400,
                 R"(id is \"1\" and qid is \"2\"; they must be the same)");
}

TEST_F(ServiceTest, BadRankRequestsAreRefusedWithTheReason) {
  expect_refused(rank("{}"), 400, "query or history is missing");
  expect_refused(rank(R"({"query":"q"})"), 400, "candidates is missing");
  expect_refused(rank(std::string(kOne) + R"(,"budgte":3})"), 400, "budgte");
  expect_refused(rank(std::string(kOne) + R"(,"policy":"x"})"), 400, "policy");
  expect_refused(rank(R"({"requests":[]})"), 400, "requests is empty");
  expect_refused(rank(R"({"requests":[{},{},{},{}]})"), 413, "at most 3");
  expect_refused(rank(R"({"requests":[{}],"query":"q"})"), 400, "query");
}

TEST_F(ServiceTest, HistoriesAreRankedToo) {
  const Reply reply =
      rank(R"({"history":["Alien"],"candidates":[{"id":1,"text":"Heat"},{"id":2,"text":"Ran"}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(json_of(reply)["answers"][0]["id"], "call-1");
}

// ---- load, deadlines, life --------------------------------------------------------------------

TEST_F(ServiceTest, DroppedLinesOfTheLogAreCounted) {
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_log_lines_dropped_total 0"));
  std::size_t n_dropped = 3;
  service_.count_dropped_lines([&] { return n_dropped; });
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_log_lines_dropped_total 3"));
  n_dropped = 5;
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_log_lines_dropped_total 5"));
}

TEST_F(ServiceTest, AFullQueueIs429WithRetryAfter) {
  const std::string body = R"({"query":"q","documents":["a","b","c"]})";
  gate_.shut();
  std::vector<std::future<Reply>> calls;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(std::async(std::launch::async, [this, &body] { return rerank(body); }));
    if (i == 0) gate_.wait_for_passes(1);  // it is under way; the others wait
  }
  while (service_.metrics_text().body.find("rsd_queue_length 3") == std::string::npos)
    std::this_thread::sleep_for(1ms);
  const std::size_t n_tokenised = engine_->n_tokenised();
  const Reply refused = rerank(body);
  EXPECT_EQ(refused.status, 429);
  EXPECT_GE(std::stoi(header(refused, "Retry-After")), 1);
  EXPECT_EQ(json_of(refused)["error"]["type"], "overloaded_error");
  EXPECT_EQ(engine_->n_tokenised(), n_tokenised) << "no prompt for who is refused";
  gate_.open();
  for (auto& call : calls)
    EXPECT_EQ(call.get().status, 200);
}

TEST_F(ServiceTest, ADeadlineGivesTheBestOrderSoFarAndNoError) {
  gate_.shut();
  const Reply reply = rerank(R"({"query":"q","documents":["a","b","c"],"deadline_ms":20})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(indices(json_of(reply)["results"]), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(header(reply, "X-RSD-Deadline-Hit"), "true");
  EXPECT_EQ(header(reply, "X-RSD-Encodings"), "0");
}

TEST_F(ServiceTest, ADeadlineThatIsOverNeedsNoPrompt) {
  const std::string body = R"({"query":"q","documents":["a","b","c"],"deadline_ms":20})";
  Call late = call(body);
  late.arrival -= 1s;
  const Reply reply = service_.rerank(late, RerankRoute::kV1);
  EXPECT_EQ(indices(json_of(reply)["results"]), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(header(reply, "X-RSD-Deadline-Hit"), "true");
  EXPECT_EQ(engine_->n_tokenised(), 0U);
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_deadline_hits_total 1"));
}

TEST_F(ServiceTest, AClientThatHangsUpIsCancelled) {
  gate_.shut();
  auto reply = std::async(std::launch::async,
                          [this] { return rerank(R"({"query":"q","documents":["a","b","c"]})"); });
  gate_.wait_for_passes(1);
  hung_up_ = true;
  EXPECT_EQ(reply.get().status, 499);
}

TEST_F(ServiceTest, DrainingRefusesAndFinishes) {
  EXPECT_EQ(service_.ready().status, 200);
  EXPECT_TRUE(service_.drain(Clock::now() + 60s));
  EXPECT_EQ(service_.ready().status, 503);
  EXPECT_EQ(service_.health().status, 200);
  const Reply reply = rerank(R"({"query":"q","documents":["a","b"]})");
  expect_refused(reply, 503, "shutting down");
  EXPECT_NE(header(reply, "Retry-After"), "");
  EXPECT_THAT(service_.metrics_text().body, HasSubstr("rsd_refused_total{reason=\"draining\"} 1"));
}

TEST(Service, IsNotReadyBeforeTheModelIsThere) {
  Service service({}, {});
  EXPECT_EQ(service.health().status, 200);
  EXPECT_EQ(service.ready().status, 503);
  EXPECT_EQ(service.models().status, 503);
  EXPECT_EQ(service.model().status, 503);
  EXPECT_EQ(service.info().status, 503);
  EXPECT_EQ(service.rerank({}, RerankRoute::kV2).status, 503);
  EXPECT_THAT(service.metrics_text().body, HasSubstr("rsd_ready 0"));
  EXPECT_THAT(service.metrics_text().body, HasSubstr("rsd_refused_total{reason=\"loading\"} 1"));
}

TEST_F(ServiceTest, MetricsCountWhatWasDone) {
  rerank(R"({"query":"q","documents":["a","b","c"]})");
  const std::string text = service_.metrics_text().body;
  for (const char* line :
       {"rsd_ready 1", "rsd_queue_length 0", "rsd_rankings_total 1", "rsd_encodings_count 1",
        "rsd_phase_seconds_count{phase=\"prefill\"} 1", "rsd_verified_share_count 1",
        "rsd_prompts_total 7", "rsd_tokens_encoded_total 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(ServiceTest, TheModelIsListed) {
  const Json models = json_of(service_.models());
  EXPECT_EQ(models["data"][0]["id"], "synthetic");
  EXPECT_EQ(models["data"][0]["meta"]["max_candidates"], 40);
}

TEST_F(ServiceTest, OneModelIsDescribedAsXinferencesClientsReadIt) {
  const Json model = json_of(service_.model());
  EXPECT_EQ(model["id"], "synthetic");
  EXPECT_EQ(model["model_name"], "synthetic");
  EXPECT_EQ(model["model_type"], "rerank");
}

TEST_F(ServiceTest, InfoDescribesTheModelAsTeisClientsReadIt) {
  const Json info = json_of(service_.info());
  EXPECT_EQ(info["model_id"], "synthetic");
  ASSERT_EQ(info["model_type"].size(), 1U);  // Dify's takes the first
  EXPECT_TRUE(info["model_type"]["reranker"]["id2label"].is_object());
  EXPECT_EQ(info["max_input_length"], engine_->context_size());
  EXPECT_EQ(info["max_client_batch_size"], 50);
}

TEST(Openapi, IsJsonAndNamesEveryRerankField) {
  const Json description = Json::parse(openapi_json());
  EXPECT_EQ(description["openapi"], "3.1.0");
  // What the description allows is accepted: each field by itself, with a value of its kind.
  const Json& fields = description["components"]["schemas"]["RerankRequest"]["properties"];
  Json body{{"query", "q"}, {"documents", {"a"}}};
  for (const auto& [name, schema] : fields.items()) {
    if (name == "texts" || body.contains(name)) continue;
    body[name] = nullptr;
  }
  const auto parsed = parse_rerank(body, RerankRoute::kV1,
                                   {.max_documents = 10, .unknown = UnknownFields::kRefused});
  EXPECT_FALSE(parsed.failure) << parsed.failure->message;
}

TEST(Openapi, NamesTheWindowMethodsThatThereAre) {
  const Json schemas = Json::parse(openapi_json())["components"]["schemas"];
  std::size_t n_schemas = 0;
  for (const auto& [name, schema] : schemas.items()) {
    if (!schema.contains("properties") || !schema["properties"].contains("window_method")) continue;
    std::string named;
    for (const Json& value : schema["properties"]["window_method"]["enum"]) {
      if (value.is_string()) named += (named.empty() ? "" : ", ") + value.get<std::string>();
    }
    EXPECT_THAT(parse_window_method("?").error().message(), testing::EndsWith("one of " + named))
        << name;
    ++n_schemas;
  }
  EXPECT_GE(n_schemas, 2U);
}

// ---- What is kept of prompts, and what a request may take
// --------------------------------------------------------------------------------------------------

TEST_F(ServiceTest, WithoutKeyAndSaltAllPromptsAreOfOneScope) {
  rerank(R"({"query":"q","documents":["a","b"]})");
  rerank(R"({"query":"q","documents":["a","b"],"cache_salt":null})");
  rerank(R"({"query":"q","documents":["a","b"],"cache_salt":"mine"})");
  rerank(R"({"query":"q","documents":["a","b"],"cache_salt":""})");
  const auto scopes = engine_->scopes();
  EXPECT_EQ(scopes[0], "");
  EXPECT_EQ(scopes[1], "");
  EXPECT_EQ(scopes[2].size(), 64U);
  EXPECT_EQ(scopes[3].size(), 64U);
  EXPECT_NE(scopes[2], scopes[3]);
  expect_refused(rerank(R"({"query":"q","documents":["a","b"],"cache_salt":7})"), 400,
                 "cache_salt");
}

TEST(ServiceWork, ARequestOfTooMuchWorkIsRefusedBeforeTheLlmSeesIt) {
  Gate gate;
  Service service({.max_candidates = 50, .jobs = {.queue = 3}},
                  {.decoder = DecoderKind::kExact, .max_tokens = 3000});
  service.start(synthetic_ranker(std::make_unique<SyntheticEngine>(gate), 1));
  std::string documents;
  for (int i = 0; i < 50; ++i)
    documents += (i > 0 ? R"(,"text )" : R"("text )") + std::to_string(i) + "\"";
  const auto ask = [&](const std::string& fields) {
    return service.rerank({.body = R"({"query":"q","documents":[)" + documents + "]" + fields + "}",
                           .header_of = [](const char*) { return std::nullopt; },
                           .hung_up = [] { return false; },
                           .request_id = "call",
                           .arrival = Clock::now()},
                          RerankRoute::kV1);
  };
  const Reply refused = ask(R"(,"window":2,"stride":1,"window_method":"sliding")");
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("tokens"));
  EXPECT_THAT(refused.body, HasSubstr("3000"));
  EXPECT_EQ(gate.n_passes(), 0U);
  EXPECT_EQ(ask(R"(,"window":20,"window_method":"calibrated")").status, 200);
}

}  // namespace
}  // namespace rsd::server
