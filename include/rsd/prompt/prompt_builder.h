// From a request to the tokens that the LLM reads.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
  bool truncated_query = false;              // the query, or titles of the history, were
  // Only prompts of the same scope use what an LLM has kept of each other: whose prompts are none
  // of the others' business has a scope of their own.
  std::string cache_scope = {};
};

// Tokens of a candidate's text that are read unless somebody says otherwise: as Cohere's
// max_tokens_per_doc has it.
inline constexpr std::size_t kDefaultTextTokens = 4096;

struct TextLimits {
  std::size_t context_tokens = 0;                    // what prompt and ranking may take together
  std::size_t max_text_tokens = kDefaultTextTokens;  // of each candidate's text, at least 1
};

// A request as prompts show it: query, titles and texts are single lines, and those that are too
// long for any prompt are cut.
struct FittedRequest {
  Request request;
  std::size_t truncated_candidates = 0;   // texts that were cut
  std::optional<std::size_t> text_limit;  // to this many tokens each; nullopt = none was cut
  bool truncated_query = false;           // the query was, or titles of the history cut or left out
  // So many candidates, whichever they are, fit one prompt together: all of them, or as many of the
  // longest as do; at least 2, if there are 2.
  std::size_t max_window = 0;
  // What a prompt of them is expected to take: what belongs to no candidate, and all candidates
  // with their places in the ranking. Texts that need not be tokenised are counted as four bytes a
  // token.
  std::size_t frame_tokens = 0;
  std::size_t candidate_tokens = 0;
};

struct PromptSurroundings;  // src/prompt

// Renders requests. The frame can't be broken by what stands in a request: query, titles and texts
// become single lines, none of their tokens is special, and the identifiers are put in as tokens.
// Immutable; safe to share between threads.
class PromptBuilder {
 public:
  // Identifiers are looked for once, here; `max_items` bounds how many.
  PromptBuilder(std::shared_ptr<const Tokenizer> tokenizer, const PromptTemplates& templates,
                std::size_t max_items = 1000);

  // Cuts what is too long for any prompt, and says how many candidates fit one together, so that
  // longer lists can go in windows and no text is cut for the sake of others:
  // - the query, or the history, to half of the context for all places where the template has it;
  //   of a history all titles to one common number of tokens, and the oldest are left out where
  //   that would be less than 8;
  // - a text to limits.max_text_tokens, and to what fits beside another one of that length.
  // Tokenises no more of anything than could be shown.
  // kUnsupported: the tokenizer has no two identifiers. kTooLong: the context has no room for two
  // candidates of one token.
  Result<FittedRequest> fit(const Request& request, const TextLimits& limits) const;

  // One prompt for all candidates. `context_tokens`: what prompt and ranking may take together. The
  // query or the history is cut as fit() does it. Where the prompt is longer, all candidate texts
  // are cut to one common number of tokens, the largest that fits; to at most `max_text_tokens` (1
  // or more) in any case. What fit() has cut fits as it is, in windows of up to max_window.
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

  PromptSurroundings surroundings(const TaskContext& task) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::map<Task, TaskContext> tasks_;
};

}  // namespace rsd
