// Tokenizers and templates for tests whose prompts are easy to count.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/prompt/prompt_template.h"
#include "support/fake_tokenizer.h"
#include "support/requests.h"

namespace rsd {

// " A", " a", " B", …
inline std::vector<std::string> spaced_letters() {
  std::vector<std::string> singles;
  for (char letter = 'A'; letter <= 'Z'; ++letter)
    for (const int lower : {0, 'a' - 'A'})
      singles.push_back({' ', static_cast<char>(letter + lower)});
  return singles;
}

// Letters with a space before them are single tokens, every other byte is one.
inline std::shared_ptr<const FakeTokenizer> spaced_tokenizer() {
  return std::make_shared<FakeTokenizer>(spaced_letters());
}

// The same; counts the calls and the bytes of texts.
class CountingTokenizer final : public Tokenizer {
 public:
  std::vector<TokenId> encode_text(std::string_view text) const override {
    ++n_calls;
    n_bytes += text.size();
    return bytes_.encode_text(text);
  }
  std::string piece(TokenId token) const override { return bytes_.piece(token); }
  ChatFrame chat_frame(bool with_system_text) const override {
    return bytes_.chat_frame(with_system_text);
  }
  std::string text_of(const std::vector<TokenId>& tokens) const { return bytes_.text_of(tokens); }

  mutable std::atomic<std::size_t> n_calls{0};
  mutable std::atomic<std::size_t> n_bytes{0};

 private:
  FakeTokenizer bytes_{spaced_letters()};
};

// The text after the first "Query: " of a built-in template; a history has none.
inline std::string query_in(const std::string& prompt) {
  const std::string mark = "Query: ";
  const std::size_t at = prompt.find(mark);
  if (at == std::string::npos) return {};
  return prompt.substr(at + mark.size(), prompt.find('\n', at) - at - mark.size());
}

inline PromptTemplates templates_of(const std::string& yaml) {
  PromptTemplates templates;
  auto parsed = PromptTemplate::parse(yaml, "test");
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  templates.set(*std::move(parsed));
  return templates;
}

// Short, so that token counts are easy to see: "q{query}\n" + "{text} = X\n"… + "R:". A prompt has
// 6 tokens and the query's; a candidate takes 5 and the text's, its place in the ranking included.
inline PromptTemplates short_templates() {
  return templates_of(
      "task: passage\n"
      "prefix: \"q{query}\\n\"\n"
      "body: \"{text} = {identifier}\\n\"\n"
      "answer: 'R:'\n");
}

}  // namespace rsd
