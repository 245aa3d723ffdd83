#include "rsd/ranker/rendered_prompt.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "ranker/made_up_llm_test.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Request request_of(std::size_t n_items, const std::string& text = "text") {
  Request request{.id = "r1", .query = "a question"};
  for (std::size_t i = 0; i < n_items; ++i)
    request.candidates.push_back({.id = "c" + std::to_string(i), .text = text});
  return request;
}

Result<RenderedPrompt> render(const Request& request) {
  const MadeUpLlm llm;
  return render_prompt(request, PromptBuilder(llm.tokenizer(), PromptTemplates()), llm);
}

nlohmann::json json_of(const RenderedPrompt& rendered) {
  const std::string line = format_prompt_json(rendered, *MadeUpLlm().tokenizer());
  EXPECT_TRUE(line.ends_with("}\n"));
  return nlohmann::json::parse(line);
}

TEST(RenderedPrompt, HasTheCandidatesWithATextInTheOrderOfThePrompt) {
  Request request = request_of(4);
  request.candidates[1].text = " ";
  const auto rendered = render(request);
  ASSERT_TRUE(rendered) << rendered.error().message();
  const auto json = json_of(*rendered);
  EXPECT_EQ(json["id"], "r1");
  EXPECT_THAT(json["prompt"].get<std::string>(), HasSubstr("Query: a question"));
  ASSERT_EQ(json["identifiers"].size(), 3U);
  EXPECT_EQ(json["identifiers"][1]["candidate"], "c2");
  EXPECT_EQ(json["tokens"].size(), rendered->prompt.tokens.size());
  EXPECT_EQ(json["truncated_candidates"], 0);
  EXPECT_TRUE(json["text_limit"].is_null());
  EXPECT_FALSE(json.contains("windows"));
}

TEST(RenderedPrompt, OfAListInWindowsIsTheFirst) {
  const auto rendered = render(request_of(60, std::string(300, 'x')));
  ASSERT_TRUE(rendered) << rendered.error().message();
  ASSERT_TRUE(rendered->windows);
  const auto json = json_of(*rendered);
  EXPECT_EQ(json["windows"]["size"], rendered->windows->size);
  EXPECT_EQ(json["identifiers"].size(), rendered->windows->size);
  EXPECT_EQ(json["identifiers"][0]["candidate"], "c0");
  EXPECT_THAT(format_prompt_text(*rendered, *MadeUpLlm().tokenizer()),
              HasSubstr("the first of the list's windows"));
}

TEST(RenderedPrompt, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  auto rendered = render(request_of(2));
  ASSERT_TRUE(rendered);
  rendered->request.id = "cut \xc3";
  EXPECT_EQ(json_of(*rendered)["id"], "cut \xef\xbf\xbd");
}

TEST(RenderedPrompt, TextBeginsWithIdAndCounts) {
  const auto rendered = render(request_of(3));
  ASSERT_TRUE(rendered);
  EXPECT_THAT(format_prompt_text(*rendered, *MadeUpLlm().tokenizer()),
              StartsWith("=== r1: " + std::to_string(rendered->prompt.tokens.size()) +
                         " tokens, 3 candidates, 0 cut\n"));
}

}  // namespace
}  // namespace rsd
