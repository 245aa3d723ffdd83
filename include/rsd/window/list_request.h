// Turns a request into a list: which of its candidates an LLM ranks, in one prompt or in windows.
//
// The rules are the same for all programs:
// - Candidates without a text are ranked last, in the input order; no LLM sees them.
// - If fewer than two candidates have a text, no prompt is built (a single one's is, if the LLM
// reads
//   relevance), nor if the deadline is over.
// - Texts are cut to max_text_tokens, and so that any two fit a prompt. If all texts together
//   exceed the context, the list is ranked in windows of the largest size that fits whichever texts
//   share a window: no text is cut for the sake of others (PromptBuilder::fit).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"
#include "rsd/window/list_run.h"

namespace rsd {

// How a request is to be ranked.
struct ListSettings {
  DecodingOptions decoding;           // ListOptions::decoding
  std::optional<std::size_t> budget;  // ListOptions::budget
  std::optional<Clock::time_point> deadline;
  WindowChoice windows;  // with a size, all longer lists are ranked in windows
  std::size_t max_text_tokens = kDefaultTextTokens;
  bool refuses_long_texts = false;  // else they are cut
  // An order of the request's candidates that is likely to be right, such as an earlier answer.
  std::optional<Ranking> draft;
  // Tokens that the list may be expected to send through the LLM (ListRequest::expected_tokens).
  std::optional<std::size_t> max_tokens = std::nullopt;
  std::string cache_scope = {};  // of its prompts
};

// The prompt builder and the limits of the LLM. Refers to the builder.
struct PromptSpace {
  const PromptBuilder& builder;
  std::size_t context_tokens = 0;  // limit for prompt and ranking together
  std::size_t max_items = 0;       // limit for the candidates of one prompt
  bool reads_relevance = false;    // LlmEngine::reads_relevance
};

// A request that is ready to be ranked. Immutable; safe to share between threads as far as the
// prompt builder is.
class ListRequest {
 public:
  // kInvalidInput: no candidate has a text. kTooLong: the context has no room for two candidates,
  // a text would have to be cut although settings.refuses_long_texts, or the list is expected to
  // take more than settings.max_tokens. kUnsupported: the model has fewer than two identifiers.
  // kInvalidArgument: window options out of range, or a method that the LLM can't be asked by.
  static Result<std::shared_ptr<const ListRequest>> create(const Request& request,
                                                           const ListSettings& settings,
                                                           const PromptSpace& space,
                                                           Clock::time_point now);

  // True if an LLM has to rank anything. If not, settled() is the answer.
  bool needs_llm() const noexcept { return needs_llm_; }
  ListOutcome settled(Clock::time_point start, Clock::time_point now) const;

  bool in_windows() const noexcept { return in_windows_; }
  // Tokens that are expected to go through the LLM without a deadline: the prompts of all windows,
  // as far as the budget allows, and what is encoded after each. Reuse of earlier prompts is not
  // subtracted.
  std::size_t expected_tokens() const noexcept { return options_.expected_tokens; }
  // For ListRun: the initial order of the items of shown().
  const Ranking& order() const noexcept { return order_; }
  const ListOptions& options() const noexcept { return options_; }
  // The request as prompts show it: only candidates with a text. Items above are indices into its
  // candidates.
  const Request& shown() const noexcept { return fitted_.request; }
  // Builds the prompt of a window: these candidates of shown(), in this order.
  Result<Prompt> prompt(std::span<const ItemId> items) const;

  // The number of texts that are cut, and whether the query or the history is.
  std::size_t truncated_candidates() const noexcept { return fitted_.truncated_candidates; }
  bool truncated_query() const noexcept { return fitted_.truncated_query; }
  // The number of tokens that texts were cut to; nullopt = none was cut.
  std::optional<std::size_t> text_limit() const noexcept { return fitted_.text_limit; }

  // Converts an answer about shown() into one about the request.
  void complete(ListOutcome& answer) const;
  // Element i: the request's index of candidate i of shown().
  std::span<const ItemId> items() const noexcept { return items_; }

 private:
  ListRequest(const PromptBuilder& builder, std::size_t context_tokens)
      : builder_(builder), context_tokens_(context_tokens) {}

  Result<void> plan(const Request& request, const ListSettings& settings, const PromptSpace& space);
  Result<void> choose_windows(const WindowChoice& choice, std::size_t size, bool reads_relevance);
  Result<std::size_t> tokens_of_windows() const;
  Result<void> check_work(const ListSettings& settings);
  void begin_with(const Ranking& draft);

  const PromptBuilder& builder_;
  std::size_t context_tokens_;
  std::string cache_scope_;
  std::size_t n_items_ = 0;    // of the request
  std::vector<ItemId> items_;  // the request's candidates with a text
  PromptBuilder::FittedRequest fitted_;
  bool needs_llm_ = false;
  bool is_late_ = false;
  bool in_windows_ = false;
  Ranking order_;
  ListOptions options_;
  std::optional<Prompt> whole_;  // the prompt, if the list needs only one
};

}  // namespace rsd
