#include "remote/protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "json/read_json.h"
#include "remote/json_answer.h"
#include "support/recorded_vllm.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::json;

// A ranking of three items after two tokens; the rows 1 and 2 are wanted.
struct Small {
  std::vector<TokenId> prompt{TokenId(7), TokenId(8)};
  std::vector<IdentifierToken> identifiers{IdentifierToken(70), IdentifierToken(71),
                                           IdentifierToken(72)};
  std::vector<ItemId> proposal{ItemId(2), ItemId(0)};

  RowQuestion question(RowRange rows = {1, 3}) const {
    return {.prompt = prompt, .identifiers = identifiers, .proposal = proposal, .rows = rows};
  }
};

Json body_of(const Protocol& protocol, const RowQuestion& question,
             CacheUse cache = CacheUse::kRead) {
  return Json::parse(protocol.body(question, "m", cache));
}

// Why the answer is refused; empty where it isn't.
std::string refusal(const Protocol& protocol, const Json& answer) {
  const Small small;
  const auto parsed = protocol.parse(answer.dump(), small.question());
  return parsed ? "" : parsed.error().message();
}

// --- what is asked -------------------------------------------------------------------------------

TEST(VllmGenerate, AsksForTheRowsThatAreWantedOnly) {
  const Small small;
  const auto protocol = vllm_generate_protocol();
  const Json body = body_of(*protocol, small.question());
  // The last row is what the LLM expects in the place of a token that must be there.
  EXPECT_EQ(body["token_ids"], Json({7, 8, 72, 70, 70}));
  EXPECT_EQ(body["sampling_params"]["prompt_logprob_start"], 2);
  EXPECT_EQ(body["sampling_params"]["prompt_logprob_token_ids"],
            Json({{70, 71, 72}, {70, 71, 72}}));
  EXPECT_EQ(body_of(*protocol, small.question({0, 1}))["token_ids"], Json({7, 8, 72}));
}

TEST(VllmGenerate, SkipsTheCacheWhereItIsToldTo) {
  const Small small;
  const auto protocol = vllm_generate_protocol();
  const auto skips = [&](CacheUse cache) {
    return body_of(*protocol, small.question(),
                   cache)["sampling_params"]["skip_reading_prefix_cache"]
        .get<bool>();
  };
  EXPECT_FALSE(skips(CacheUse::kRead));
  EXPECT_TRUE(skips(CacheUse::kSkip));
}

TEST(VllmCompletions, AsksWithAPromptForEachRow) {
  const Small small;
  const Json body = body_of(*vllm_completions_protocol(), small.question());
  EXPECT_EQ(body["prompt"], Json({{7, 8, 72}, {7, 8, 72, 70}}));
  EXPECT_EQ(body["logprob_token_ids"], Json({70, 71, 72}));
  EXPECT_EQ(body["logprobs"], 3);
  EXPECT_EQ(body["max_tokens"], 1);
  EXPECT_EQ(body["return_tokens_as_token_ids"], true);
}

TEST(SglangGenerate, AsksFromTheLastKnownTokenOn) {
  const Small small;
  const Json body = body_of(*sglang_generate_protocol(), small.question());
  EXPECT_EQ(body["input_ids"], Json({7, 8, 72, 70, 70}));
  EXPECT_EQ(body["logprob_start_len"], 2);
  EXPECT_EQ(body["token_ids_logprob"], Json({70, 71, 72}));
  EXPECT_EQ(body["return_logprob"], true);
  EXPECT_EQ(body["sampling_params"]["max_new_tokens"], 1);
}

TEST(Protocols, NamesOfModelsAreQuoted) {
  const Small small;
  const auto body =
      vllm_completions_protocol()->body(small.question(), "a\"b\\c\xff", CacheUse::kRead);
  EXPECT_THAT(Json::parse(body)["model"].get<std::string>(), HasSubstr("a\"b\\c"));
}

// Else one who may call could learn from what the server knew what others have asked for.
TEST(Protocols, AScopeIsTheServersSalt) {
  const Small small;
  RowQuestion question = small.question();
  const std::vector<std::pair<std::unique_ptr<const Protocol>, std::string>> protocols = [] {
    std::vector<std::pair<std::unique_ptr<const Protocol>, std::string>> all;
    all.emplace_back(vllm_generate_protocol(), "cache_salt");
    all.emplace_back(vllm_completions_protocol(), "cache_salt");
    all.emplace_back(sglang_generate_protocol(), "extra_key");
    return all;
  }();
  for (const auto& [protocol, name] : protocols) {
    SCOPED_TRACE(protocol->name());
    question.cache_scope = {};
    EXPECT_FALSE(body_of(*protocol, question).contains(name));
    question.cache_scope = "7f";
    EXPECT_EQ(body_of(*protocol, question)[name], "7f");
  }
}

// --- what is answered ----------------------------------------------------------------------------

const char* const kZeros = "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwg";

Json generate_answer() {
  return {{"choices", {{{"index", 0}}}},
          {"usage", {{"prompt_tokens", 5}}},
          {"prompt_token_id_logprobs", nullptr}};
}

TEST(VllmGenerate, ANullFieldIsToBeAskedForAgain) {
  const Small small;
  const auto parsed = vllm_generate_protocol()->parse(generate_answer().dump(), small.question());
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->has_value());
}

TEST(VllmGenerate, AnswersOfOtherShapesAreRefused) {
  const auto protocol = vllm_generate_protocol();
  const auto with = [&](const char* name, const Json& value) {
    Json answer = generate_answer();
    answer[name] = value;
    return refusal(*protocol, answer);
  };
  EXPECT_EQ(with("choices", {{{"index", 0}}}), "");
  EXPECT_THAT(with("choices", Json::array()), HasSubstr("choice"));
  EXPECT_THAT(with("choices", {{{"index", 1}}}), HasSubstr("choice"));
  EXPECT_THAT(with("choices", {{{"index", 0}}, {{"index", 0}}}), HasSubstr("choice"));
  EXPECT_THAT(with("usage", {{"prompt_tokens", 6}}), HasSubstr("6 tokens, not of 5"));
  EXPECT_THAT(with("prompt_token_id_logprobs", 3), HasSubstr("string"));
  EXPECT_THAT(with("prompt_token_id_logprobs", "%%%"), HasSubstr("base64"));
  EXPECT_THAT(with("prompt_token_id_logprobs", kZeros), HasSubstr(".npy"));
  Json lacking = generate_answer();
  lacking.erase("prompt_token_id_logprobs");
  EXPECT_THAT(refusal(*protocol, lacking), HasSubstr("has no prompt_token_id_logprobs"));
  EXPECT_THAT(refusal(*protocol, Json::array()), HasSubstr("object"));
  const Small small;
  EXPECT_THAT(protocol->parse("{", small.question()).error().message(), HasSubstr("JSON"));
}

TEST(JsonAnswer, NestsNoDeeperThanAllOtherJson) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(JsonAnswer::parse(nested(kMaxJsonDepth)).ok());
  EXPECT_FALSE(JsonAnswer::parse(nested(kMaxJsonDepth + 1)).ok());
  EXPECT_FALSE(JsonAnswer::parse(nested(1'000'000)).ok());
  EXPECT_TRUE(JsonAnswer::parse(nested(kMaxJsonDepth)).ok()) << "with the parser used again";
}

Json completions_answer() {
  const auto choice = [](int index, double first) {
    const Json top{{"token_id:1", -0.1},
                   {"token_id:70", first},
                   {"token_id:71", first - 1},
                   {"token_id:72", first - 2}};
    return Json{{"index", index}, {"logprobs", {{"top_logprobs", Json::array({top})}}}};
  };
  return {{"choices", {choice(1, -5), choice(0, -1)}}, {"usage", {{"prompt_tokens", 7}}}};
}

TEST(VllmCompletions, ChoicesAreTakenByTheirIndex) {
  const Small small;
  const auto parsed =
      vllm_completions_protocol()->parse(completions_answer().dump(), small.question());
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_THAT((*parsed)->rows.row(0), ElementsAre(-1, -2, -3));
  EXPECT_THAT((*parsed)->rows.row(1), ElementsAre(-5, -6, -7));
}

TEST(VllmCompletions, AnswersOfOtherShapesAreRefused) {
  const auto protocol = vllm_completions_protocol();
  const auto changed = [&](auto change) {
    Json answer = completions_answer();
    change(answer);
    return refusal(*protocol, answer);
  };
  const auto top = [](Json& answer) -> Json& {
    return answer["choices"][0]["logprobs"]["top_logprobs"][0];
  };
  EXPECT_THAT(changed([](Json& a) { a["choices"].erase(1); }), HasSubstr("2 choices"));
  EXPECT_THAT(changed([](Json& a) { a["choices"][0]["index"] = 0; }), HasSubstr("index once"));
  EXPECT_THAT(changed([](Json& a) { a["choices"][0]["index"] = 2; }), HasSubstr("index once"));
  EXPECT_THAT(changed([](Json& a) { a["choices"][0]["logprobs"] = nullptr; }),
              HasSubstr("top_logprobs"));
  EXPECT_THAT(changed([&](Json& a) { top(a).erase("token_id:71"); }), HasSubstr("token_id:71"));
  EXPECT_THAT(changed([&](Json& a) { top(a)["token_id:71"] = nullptr; }), HasSubstr("finite"));
  EXPECT_THAT(changed([&](Json& a) { top(a)["token_id:71"] = 1e300; }), HasSubstr("finite"));
  EXPECT_THAT(changed([](Json& a) { a["usage"]["prompt_tokens"] = 8; }), HasSubstr("not of 7"));
  std::string repeated = completions_answer().dump();
  repeated.replace(repeated.find("token_id:71"), 11, "token_id:70");
  const Small small;
  EXPECT_THAT(protocol->parse(repeated, small.question()).error().message(), HasSubstr("twice"));
}

Json sglang_answer() {
  const auto row = [](double first) {
    return Json{{first - 2, 72, nullptr}, {first, 70, nullptr}, {first - 1, 71, nullptr}};
  };
  return {{"meta_info",
           {{"prompt_tokens", 5},
            {"cached_tokens", 2},
            {"input_token_ids_logprobs", Json::array({nullptr, row(-1), row(-5)})}}}};
}

TEST(SglangGenerate, RowsAreReadByTheirTokens) {
  const Small small;
  const auto parsed = sglang_generate_protocol()->parse(sglang_answer().dump(), small.question());
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_THAT((*parsed)->rows.row(0), ElementsAre(-1, -2, -3));
  EXPECT_THAT((*parsed)->rows.row(1), ElementsAre(-5, -6, -7));
  EXPECT_EQ((*parsed)->cached_tokens, 2U);
}

TEST(SglangGenerate, AnswersOfOtherShapesAreRefused) {
  const auto protocol = sglang_generate_protocol();
  const auto changed = [&](auto change) {
    Json answer = sglang_answer();
    change(answer["meta_info"]);
    return refusal(*protocol, answer);
  };
  const char* const rows = "input_token_ids_logprobs";
  EXPECT_THAT(changed([&](Json& m) { m[rows].erase(2); }), HasSubstr("2 rows"));
  EXPECT_THAT(changed([&](Json& m) { m[rows][0] = m[rows][1]; }), HasSubstr("null and 2 rows"));
  EXPECT_THAT(changed([&](Json& m) { m.erase(rows); }), HasSubstr("2 rows"));
  EXPECT_THAT(changed([&](Json& m) { m[rows][1].erase(0); }), HasSubstr("3 log-probabilities"));
  EXPECT_THAT(changed([&](Json& m) { m[rows][1][0][1] = 70; }), HasSubstr("once"));
  EXPECT_THAT(changed([&](Json& m) { m[rows][1][0][1] = 99; }), HasSubstr("once"));
  EXPECT_THAT(changed([&](Json& m) { m[rows][1][0][0] = nullptr; }), HasSubstr("finite"));
  EXPECT_THAT(changed([&](Json& m) { m["prompt_tokens"] = 4; }), HasSubstr("not of 5"));
  EXPECT_THAT(refusal(*protocol, Json{{"text", "x"}}), HasSubstr("meta_info"));
}

// --- recorded from a vLLM 0.32 -------------------------------------------------------------------

class RecordedAnswers : public testing::Test {
 protected:
  RowQuestion question() const {
    return {.prompt = vllm_.prompt,
            .identifiers = vllm_.identifiers,
            .proposal = vllm_.proposal,
            .rows = {0, vllm_.identifiers.size()}};
  }

  RecordedVllm vllm_ = RecordedVllm::load();
};

TEST_F(RecordedAnswers, OurQuestionsAreThoseThatWereAnswered) {
  Json ours = Json::parse(vllm_generate_protocol()->body(question(), "smol", CacheUse::kRead));
  const Json dropped = Json::parse(vllm_.dropped_question);
  EXPECT_EQ(ours["sampling_params"]["skip_reading_prefix_cache"],
            dropped["sampling_params"]["skip_reading_prefix_cache"]);
  ours["sampling_params"].erase("skip_reading_prefix_cache");  // the other has the default
  EXPECT_EQ(ours, Json::parse(vllm_.generate.question));
  EXPECT_EQ(Json::parse(vllm_completions_protocol()->body(question(), "smol", CacheUse::kRead)),
            Json::parse(vllm_.completions.question));
}

TEST_F(RecordedAnswers, BothWaysOfAskingGiveTheSameRows) {
  const auto generated = vllm_generate_protocol()->parse(vllm_.generate.answer, question());
  const auto completed = vllm_completions_protocol()->parse(vllm_.completions.answer, question());
  ASSERT_TRUE(generated) << generated.error().message();
  ASSERT_TRUE(completed) << completed.error().message();
  const LogitMatrix& rows = (*generated)->rows;
  ASSERT_EQ(rows.n_rows(), 20U);
  EXPECT_FLOAT_EQ((*completed)->rows.row(0)[0], -11.13386344909668F);
  EXPECT_FLOAT_EQ((*completed)->rows.row(2)[0], -2.984774112701416F);
  EXPECT_FLOAT_EQ((*completed)->rows.row(19)[19], -4.625920295715332F);
  for (std::size_t j = 0; j < rows.n_rows(); ++j)
    for (std::size_t i = 0; i < rows.n_items(); ++i)
      EXPECT_NEAR(rows.row(j)[i], (*completed)->rows.row(j)[i], 1e-3) << j << ", " << i;
}

TEST_F(RecordedAnswers, AnAnswerOfAnotherQuestionIsRefused) {
  RowQuestion other = question();
  other.rows = {1, vllm_.identifiers.size()};
  EXPECT_FALSE(vllm_generate_protocol()->parse(vllm_.generate.answer, other));
  EXPECT_FALSE(vllm_completions_protocol()->parse(vllm_.completions.answer, other));
}

TEST_F(RecordedAnswers, WhereTheFieldIsNullItIsToBeAskedForAgain) {
  Json answer = Json::parse(vllm_.generate.answer);
  answer["prompt_token_id_logprobs"] = nullptr;
  const auto parsed = vllm_generate_protocol()->parse(answer.dump(), question());
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->has_value());
}

}  // namespace
}  // namespace rsd
