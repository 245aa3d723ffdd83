// From a request to the tokens that the LLM reads.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/prompt/identifiers.h"
#include "rsd/prompt/prompt_template.h"
#include "rsd/prompt/tokenizer.h"
#include "rsd/rank/request.h"

namespace rsd {

struct Prompt {
  std::vector<TokenId> tokens;               // up to where the first identifier is to follow
  std::vector<IdentifierToken> identifiers;  // by item
  std::size_t truncated_candidates = 0;      // texts that were cut
  std::optional<std::size_t> text_limit;     // to this many tokens each; nullopt = none was cut
};

// Renders requests. The frame can't be broken by what stands in a request: query, titles and texts
// become single lines, none of their tokens is special, and the identifiers are put in as tokens.
// Immutable; safe to share between threads.
class PromptBuilder {
 public:
  // Identifiers are looked for once, here; `max_items` bounds how many.
  PromptBuilder(std::shared_ptr<const Tokenizer> tokenizer, const PromptTemplates& templates,
                std::size_t max_items = 1000);

  // `context_tokens`: what prompt and ranking may take together. Where the prompt is longer, all
  // candidate texts are cut to one common number of tokens, the largest that fits; to at most
  // `max_text_tokens` (1 or more) in any case.
  // kUnsupported: more candidates than the tokenizer has identifiers. kTooLong: the prompt does not
  // fit even with one token a text.
  Result<Prompt> build(const Request& request, std::size_t context_tokens,
                       std::optional<std::size_t> max_text_tokens = std::nullopt) const;

  const Identifiers& identifiers(Task task) const;

 private:
  struct TaskContext {
    PromptTemplate prompt_template;
    ChatFrame frame;
    Identifiers identifiers;
  };

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::map<Task, TaskContext> tasks_;
};

}  // namespace rsd
