// Builds the prompt tokens of a request.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/prompt/prompt.h"
#include "rsd/prompt/prompt_template.h"
#include "rsd/prompt/tokenizer.h"
#include "rsd/rank/request.h"

namespace rsd {

// Default limit for the tokens of a candidate's text, the same as Cohere's max_tokens_per_doc.
inline constexpr std::size_t kDefaultTextTokens = 4096;

struct PromptSurroundings;  // src/prompt

// Renders requests. A request's content can't break the prompt's frame: query, titles and texts
// become single lines, none of their tokens is special, and the identifiers are inserted as tokens.
// Immutable; safe to share between threads.
class PromptBuilder {
 public:
  struct TextLimits {
    std::size_t context_tokens = 0;                    // limit for prompt and ranking together
    std::size_t max_text_tokens = kDefaultTextTokens;  // per candidate text, at least 1
  };

  // A request as it appears in prompts: query, titles and texts are single lines, and those that
  // are too long for any prompt are cut.
  struct FittedRequest {
    Request request;
    std::size_t truncated_candidates = 0;   // texts that were cut
    std::optional<std::size_t> text_limit;  // to this many tokens each; nullopt = none was cut
    bool truncated_query = false;  // the query was cut, or titles of the history were cut or
                                   // left out
    // The number of candidates that fit one prompt, whichever ones are chosen: all of them, or as
    // many of the longest as fit together; at least 2 if there are 2.
    std::size_t max_window = 0;
    // What a prompt of them is expected to take: what belongs to no candidate, and all candidates
    // with their places in the ranking. Texts that need not be tokenised are counted as four bytes
    // a token.
    std::size_t frame_tokens = 0;
    std::size_t candidate_tokens = 0;
  };

  // A candidate of a prompt in blocks: its block depends on nothing else.
  struct CandidateBlock {
    std::vector<TokenId> head;      // before it; the same for all candidates of a template
    std::vector<TokenId> tokens{};  // none: its text is blank
    bool is_cut = false;
  };

  // Finds the identifiers, once; `max_items` bounds their number.
  PromptBuilder(std::shared_ptr<const Tokenizer> tokenizer, const PromptTemplates& templates,
                std::size_t max_items = 1000);

  // Cuts texts that are too long for any prompt and computes how many candidates fit one prompt, so
  // that longer lists can be ranked in windows and no text is cut for the sake of others:
  // - the query or the history is cut so that all places where the template shows it take at most
  //   half of the context; all titles of a history are cut to one common number of tokens, and the
  //   oldest are left out if that number would be less than 8;
  // - a text is cut to limits.max_text_tokens, and so that two texts of that length fit a prompt;
  // - in a prompt in blocks, a text is cut to half of the context.
  // Tokenises no more of a text than could be shown. kUnsupported when the tokenizer has fewer than
  // two identifiers. kTooLong when the context has no room for two candidates of one token.
  Result<FittedRequest> fit(const Request& request, const TextLimits& limits) const;

  // Builds one prompt for all candidates. `context_tokens` is the limit for prompt and ranking
  // together. The query or the history is cut as in fit(). If the prompt is still too long, all
  // candidate texts are cut to one common number of tokens, the largest that fits; they are never
  // longer than `max_text_tokens` (1 or more). In blocks each text is cut by itself. A request from
  // fit() needs no further cut in windows of up to max_window. kUnsupported when there are more
  // candidates than identifiers. kTooLong when the prompt does not fit even with one token per
  // text.
  Result<Prompt> build(const Request& request, std::size_t context_tokens,
                       std::optional<std::size_t> max_text_tokens = std::nullopt) const;

  // The block that a candidate with this text has in every prompt of such limits. kUnsupported: the
  // task's template is not in blocks.
  Result<CandidateBlock> candidate_block(Task task, const std::string& text,
                                         const TextLimits& limits) const;
  PromptLayout layout(Task task) const;
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
