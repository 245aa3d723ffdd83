// Renders a request to tokens, with a template and a chat frame.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rsd/prompt/identifiers.h"
#include "rsd/prompt/prompt_template.h"
#include "rsd/prompt/tokenizer.h"
#include "rsd/rank/request.h"

namespace rsd {

// The parts of a prompt around a request's texts, and the tokenizer. Refers to objects that must
// outlive it.
struct PromptSurroundings {
  const Tokenizer& tokenizer;
  const PromptTemplate& wording;
  const ChatFrame& frame;
  const Identifiers& identifiers;

  // The number of places with the query or the history.
  std::size_t n_subjects() const;
};

// Renders a request whose query, titles and texts are single lines.
class PromptRenderer {
 public:
  // Both arguments must outlive the renderer.
  PromptRenderer(const PromptSurroundings& surroundings, const Request& request);

  // The whole prompt with these candidate texts.
  std::vector<TokenId> tokens(const std::vector<std::string>& texts) const;
  // Tokens of the prompt that belong to no candidate.
  std::size_t n_frame_tokens() const { return tokens({}).size(); }
  // Tokens of a candidate with this text on its own. Next to others it may have fewer, since a
  // tokenizer may join neighbouring texts.
  std::size_t n_item_tokens(const std::string& text) const;
  // The parts as a text; `item` fills {text} and {title}.
  std::string fill(const PromptTemplate::Parts& parts, const std::string& item) const;

 private:
  struct Output {
    std::vector<TokenId> tokens;
    std::string pending;  // text not tokenised yet
  };

  void append_item(std::size_t item, const std::string& text, Output& output) const;
  void flush(Output& output) const;

  const PromptSurroundings& around_;
  const Request& request_;
  std::string history_;
};

}  // namespace rsd
