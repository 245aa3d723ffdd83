#include "server/api/rerank_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/api/foreign_body.h"

namespace rsd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ParsedRerank parse(const std::string& body, RerankRoute route = RerankRoute::kV1,
                   UnknownFields unknown = UnknownFields::kIgnored) {
  Json json = Json::parse(body);
  return parse_rerank(json, route, {.max_documents = 10, .unknown = unknown});
}

RerankCall read(const std::string& body, RerankRoute route = RerankRoute::kV1) {
  const ParsedRerank parsed = parse(body, route);
  EXPECT_TRUE(parsed.call) << body << ": " << (parsed.failure ? parsed.failure->message : "");
  return parsed.call.value_or(RerankCall());
}

std::string refusal(const std::string& body, RerankRoute route = RerankRoute::kV1) {
  const ParsedRerank parsed = parse(body, route);
  EXPECT_FALSE(parsed.call) << body;
  return parsed.failure ? parsed.failure->message : "";
}

// ---- what the clients of other servers send ----------------------------------------------------

TEST(RerankShape, TakesWhatOtherServersClientsSend) {
  const std::pair<const char*, RerankRoute> bodies[] = {
      // TEI: Dify, Haystack, LlamaIndex, LiteLLM's huggingface/
      {R"({"query":"q","texts":["a","b"],"return_text":true})", RerankRoute::kPlain},
      {R"({"query":"q","texts":["a","b"],"truncate":true,"is_truncated":false})",
       RerankRoute::kPlain},
      {R"({"raw_scores":false,"truncate":false,"truncation_direction":"Right","query":"q",
           "texts":["a","b"],"return_text":true,"top_n":2})",
       RerankRoute::kPlain},
      // vLLM, and LiteLLM's hosted_vllm/
      {R"({"model":"m","query":"q","documents":["a","b"],"top_n":0,"truncate_prompt_tokens":-1,
           "max_tokens_per_query":64,"max_tokens_per_doc":64,"truncation_side":"right",
           "instruction":"i","priority":0,"mm_processor_kwargs":null,"use_activation":null})",
       RerankRoute::kPlain},
      // Xinference
      {R"({"model":"m","documents":["a","b"],"query":"q","top_n":null,"max_chunks_per_doc":null,
           "return_documents":null,"return_len":null,"kwargs":"{}"})",
       RerankRoute::kV1},
      // SiliconFlow
      {R"({"model":"m","query":"q","documents":["a","b"],"instruction":"i","top_n":2,
           "return_documents":true,"max_chunks_per_doc":1024,"overlap_tokens":80})",
       RerankRoute::kV1},
      // Open WebUI
      {R"({"model":"m","query":"q","documents":["a","b"],"top_n":2})", RerankRoute::kV1},
      // Cohere, Jina, infinity
      {R"({"model":"m","query":"q","documents":["a","b"],"max_tokens_per_doc":4096,"priority":0})",
       RerankRoute::kV2},
      {R"({"model":"m","query":"q","documents":["a","b"],"return_embeddings":false,
           "truncation":true})",
       RerankRoute::kV1},
      {R"({"model":"m","query":"q","documents":["a","b"],"return_documents":true,
           "raw_scores":false})",
       RerankRoute::kInfinity},
  };
  for (const auto& [body, route] : bodies) {
    const RerankCall call = read(body, route);
    EXPECT_EQ(call.query, "q") << body;
    EXPECT_THAT(call.texts, ElementsAre("a", "b")) << body;
  }
}

TEST(RerankShape, UnknownFieldsAreIgnoredAndNamed) {
  const ParsedRerank parsed = parse(R"({"query":"q","documents":["a"],"topn":1,"kwargs":{}})");
  EXPECT_TRUE(parsed.call);
  EXPECT_EQ(parsed.ignored, "kwargs, topn");
  EXPECT_EQ(parse(R"({"query":"q","documents":["a"],"top_n":1})").ignored, "");
}

TEST(RerankShape, UnknownFieldsAreAnErrorWhereThatIsAskedFor) {
  const std::string body = R"({"query":"q","documents":["a"],"topn":1})";
  const ParsedRerank parsed = parse(body, RerankRoute::kV1, UnknownFields::kRefused);
  ASSERT_TRUE(parsed.failure);
  EXPECT_EQ(parsed.failure->status, 400);
  EXPECT_EQ(parsed.failure->message, "unknown fields: topn");
}

TEST(RerankShape, WrongFieldsAreReportedBeforeUnknownOnes) {
  EXPECT_THAT(refusal(R"({"query":"q","documents":["a"],"top_n":-1,"topn":1})"),
              HasSubstr("top_n is -1"));
}

TEST(RerankShape, EveryFieldOfTheTableIsRead) {
  const std::string body =
      R"({"query":"q","documents":["a"],"texts":null,"model":"m","rank_fields":null,
          "decoder":null,"budget":null,"deadline_ms":null,"window":null,"stride":null,
          "window_method":null,"top_n":null,"max_doc_length":null,"max_tokens_per_doc":null,
          "raw_scores":null,"return_text":null,"return_documents":null,"truncate":null,
          "min_score":null,"truncation_direction":null})";
  const ParsedRerank parsed = parse(body, RerankRoute::kV1, UnknownFields::kRefused);
  EXPECT_TRUE(parsed.call) << parsed.failure->message;
}

TEST(RerankShape, FlagsMayBeWords) {
  for (const char* word : {R"("true")", R"("True")", R"(" TRUE ")", R"("1")", "1", "1.0", "true"}) {
    const std::string body = R"({"query":"q","documents":["a"],"raw_scores":)";
    EXPECT_TRUE(read(body + word + "}").raw_scores) << word;
  }
  for (const char* word : {R"("false")", R"("False")", R"("0")", "0", "false", "null"}) {
    const std::string body = R"({"query":"q","documents":["a"],"raw_scores":)";
    EXPECT_FALSE(read(body + word + "}").raw_scores) << word;
  }
  for (const char* word : {R"("")", R"("yes")", "2", "-1", "[true]", R"({"a":1})"}) {
    EXPECT_THAT(
        refusal(R"({"query":"q","documents":["a"],"return_documents":)" + std::string(word) + "}"),
        HasSubstr("return_documents is"))
        << word;
  }
}

TEST(RerankShape, NumbersMayBeWords) {
  const RerankCall call = read(
      R"({"query":"q","documents":["a"],"top_n":"3","budget":" 2 ","deadline_ms":"250.5",
          "max_tokens_per_doc":"64.0","min_score":"0.5"})");
  EXPECT_EQ(call.options.min_score, 0.5);
  EXPECT_EQ(call.options.top_n, 3U);
  EXPECT_EQ(call.options.budget, 2U);
  EXPECT_EQ(call.options.deadline->count(), 250.5);
  EXPECT_EQ(call.options.max_text_tokens, 64U);
  for (const char* word : {R"("")", R"("three")", R"("3 4")", R"("-1")", R"("2.5")", R"("nan")",
                           R"("1e999")", "true"}) {
    EXPECT_THAT(refusal(R"({"query":"q","documents":["a"],"top_n":)" + std::string(word) + "}"),
                HasSubstr("top_n is"))
        << word;
  }
}

TEST(RerankShape, AQueryMayBeAnObjectOrContentParts) {
  for (const char* query : {R"({"text":"the query"})", R"({"content":"the query"})",
                            R"({"content":[{"type":"text","text":"the query"}]})",
                            R"([{"type":"text","text":"the query"}])", R"(["the query"])"}) {
    EXPECT_EQ(read(R"({"documents":["a"],"query":)" + std::string(query) + "}").query, "the query")
        << query;
  }
  for (const char* query : {"5", "{}", R"({"image":"https://x"})", R"({"text":5})",
                            R"({"content":[{"type":"image_url","image_url":{"url":"x"}}]})"}) {
    EXPECT_THAT(refusal(R"({"documents":["a"],"query":)" + std::string(query) + "}"),
                HasSubstr("query is "))
        << query;
  }
  EXPECT_EQ(refusal(R"({"documents":["a"],"query":null})"), "query is missing");
  EXPECT_EQ(refusal(R"({"documents":["a"],"query":{"text":" "}})"), "query is empty");
}

TEST(RerankShape, DocumentsMayBeObjectsOrContentParts) {
  const RerankCall call = read(
      R"({"query":"q","documents":["a",{"text":"b","title":"x"},{"content":"c"},
          {"content":[{"type":"text","text":"d"},{"type":"text","text":"e"}]},
          [{"type":"text","text":"f"}]]})");
  EXPECT_THAT(call.texts, ElementsAre("a", "b", "c", "d\ne", "f"));
  const RerankCall one_content = read(
      R"({"query":"q","documents":{"content":[{"type":"text","text":"a"},
          {"type":"text","text":"b"}]}})");
  EXPECT_THAT(one_content.texts, ElementsAre("a", "b"));
  const RerankCall of_two = read(
      R"({"query":{"text":"","content":"q"},"documents":[{"text":null,"content":"a"},
          {"text":" ","content":[{"type":"text","text":"b"}]},{"text":"c","content":"x"}]})");
  EXPECT_EQ(of_two.query, "q");
  EXPECT_THAT(of_two.texts, ElementsAre("a", "b", "c"));
  for (const char* document : {"5", "{}", R"({"text":5})", R"({"image":"x"})",
                               R"({"content":[{"type":"image_url","image_url":{"url":"x"}}]})",
                               R"([{"type":"text","text":"a"},{"type":"image_url"}])"}) {
    EXPECT_THAT(refusal(R"({"query":"q","documents":["a",)" + std::string(document) + "]}"),
                HasSubstr("documents[1] is"))
        << document;
  }
}

TEST(RerankShape, RankFieldsSayWhatADocumentsTextIs) {
  const RerankCall call = read(
      R"({"query":"q","rank_fields":["title","body"],"documents":[
          {"title":"t","body":"b","text":"x"},{"body":"only"},{"text":"none of them"},"plain"]})");
  EXPECT_THAT(call.texts, ElementsAre("t\nb", "only", "none of them", "plain"));
}

TEST(RerankShape, BlankTextsAreTakenBesideOthers) {
  for (const char* blank :
       {R"("")", R"(" ")", R"("\n\t")", R"({"text":""})", R"({"content":[]})", "null",
        R"({"text":null})", R"({"content":null})", R"({"text":" ","content":null})"}) {
    const std::string list = R"(["a",)" + std::string(blank) + "]}";
    EXPECT_EQ(read(R"({"query":"q","documents":)" + list).texts.size(), 2U) << blank;
    EXPECT_EQ(read(R"({"query":"q","texts":)" + list, RerankRoute::kPlain).texts.size(), 2U);
  }
}

TEST(RerankShape, DocumentsWithoutTheRankFieldsAreBlankAndNumbersAreText) {
  const RerankCall call = read(
      R"({"query":"q","rank_fields":["title","body"],"documents":[
          {"title":1984,"body":null},{"other":"x"},{"title":"x","body":"y"}]})");
  EXPECT_THAT(call.texts, ElementsAre("1984", "", "x\ny"));
}

TEST(RerankShape, ALimitOfNoTokensIsNone) {
  const RerankCall call = read(R"({"query":"q","documents":["a"],"max_tokens_per_doc":0})");
  EXPECT_EQ(call.options.max_text_tokens, kDefaultTextTokens);
}

TEST(RerankShape, NothingButBlankTextsIsAnError) {
  const std::string list = R"(["", " "]})";
  const ParsedRerank parsed = parse(R"({"query":"q","documents":)" + list);
  ASSERT_TRUE(parsed.failure);
  EXPECT_EQ(parsed.failure->status, 400);
  EXPECT_EQ(parsed.failure->message, "documents has nothing but blank texts");
  const ParsedRerank tei = parse(R"({"query":"q","texts":)" + list, RerankRoute::kPlain);
  ASSERT_TRUE(tei.failure);
  EXPECT_EQ(as_tei(*tei.failure).status, 422);
}

// ---- the names of what was ignored --------------------------------------------------------------

TEST(ForeignBody, NamesAreShownFitForAHeader) {
  EXPECT_EQ(shown_names({"a", "b\r\nSet-Cookie: x", "ü, v"}), "a, b?Set-Cookie:?x, ???v");
  EXPECT_EQ(shown_names({std::string(1000, 'x')}), std::string(37, 'x') + "...");
  const std::string many = shown_names(std::vector<std::string>(1000, std::string(50, 'x')));
  EXPECT_LT(many.size(), 600U);
  EXPECT_THAT(many, HasSubstr("and 990 more"));
}

}  // namespace
}  // namespace rsd::server
