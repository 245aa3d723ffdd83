// From a request to a list: which of its candidates an LLM ranks, in one prompt or in windows.
//
// One rule for all programs:
// - Candidates without a text are ranked last, in the input order, and no LLM sees them.
// - Where fewer than two have one, or the deadline is over, no prompt is built at all.
// - Every text is read up to max_text_tokens, or to what fits a window of two. Where all of them
//   together exceed the context, the list goes in windows, as large as fit whichever texts meet in
//   them: no text is cut for the sake of others (PromptBuilder::fit).
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

// What becomes of texts that are too long.
enum class LongTexts { kCut, kRefuse };

// How a request is to be ranked, as its sender says it.
struct ListSettings {
  DecodingOptions decoding;           // ListOptions::decoding
  std::optional<std::size_t> budget;  // ListOptions::budget
  std::optional<Clock::time_point> deadline;
  WindowChoice windows;  // with a size, all lists of more go in windows
  std::size_t max_text_tokens = kDefaultTextTokens;
  LongTexts long_texts = LongTexts::kCut;
  // An order of the request's candidates that is likely to be right, such as an earlier answer.
  std::optional<Ranking> draft;
  // Tokens that the list may be expected to send through the LLM (ListRequest::expected_tokens).
  std::optional<std::size_t> max_tokens = std::nullopt;
  std::string cache_scope = {};  // of its prompts
};

// What prompts are made with. Refers to the builder.
struct PromptSpace {
  const PromptBuilder& builder;
  std::size_t context_tokens = 0;  // of prompt and ranking together
  std::size_t max_items = 0;       // candidates of one prompt
};

// A request that is ready to be ranked. Immutable; safe to share between threads as far as the
// prompt builder is.
class ListRequest {
 public:
  // kInvalidInput: no candidate has a text. kTooLong: the context has no room for two candidates,
  // or a text would have to be cut that must not, or it is expected to take more than max_tokens.
  // kUnsupported: the model has no two identifiers.
  // kInvalidArgument: windows out of range.
  static Result<std::shared_ptr<const ListRequest>> create(const Request& request,
                                                           const ListSettings& settings,
                                                           const PromptSpace& space,
                                                           Clock::time_point now);

  // Has an LLM anything to do? Else settled() is the answer.
  bool needs_llm() const noexcept { return needs_llm_; }
  ListOutcome settled(Clock::time_point start, Clock::time_point now) const;

  bool in_windows() const noexcept { return in_windows_; }
  // Tokens that are expected to go through the LLM, were there no deadline: of the prompts of all
  // windows, as far as its budget is enough for them, and of what is encoded after each. Nothing
  // is counted out that is known from earlier prompts.
  std::size_t expected_tokens() const noexcept { return options_.expected_tokens; }
  // For ListRun: of shown(), in the order that the list begins with.
  const Ranking& order() const noexcept { return order_; }
  const ListOptions& options() const noexcept { return options_; }
  // The candidates with a text, as prompts show them, by the index that all of the above means.
  const Request& shown() const noexcept { return fitted_.request; }
  // The prompt of a window of shown(): these of its candidates, in this order.
  Result<Prompt> prompt(std::span<const ItemId> items) const;

  // Texts that are cut, and whether the query or the history is.
  std::size_t truncated_candidates() const noexcept { return fitted_.truncated_candidates; }
  bool truncated_query() const noexcept { return fitted_.truncated_query; }
  // Tokens that the texts were cut to; nullopt = none was.
  std::optional<std::size_t> text_limit() const noexcept { return fitted_.text_limit; }

  // From an answer about shown() to one about the request.
  void complete(ListOutcome& answer) const;
  // By index of shown(): the index of the request.
  std::span<const ItemId> items() const noexcept { return items_; }

 private:
  ListRequest(const PromptBuilder& builder, std::size_t context_tokens)
      : builder_(builder), context_tokens_(context_tokens) {}

  Result<void> plan(const Request& request, const ListSettings& settings, const PromptSpace& space);
  Result<void> choose_windows(const WindowChoice& choice, std::size_t size);
  Result<std::size_t> tokens_of_windows() const;
  Result<void> check_work(const ListSettings& settings);
  void begin_with(const Ranking& draft);

  const PromptBuilder& builder_;
  std::size_t context_tokens_;
  std::string cache_scope_;
  std::size_t n_items_ = 0;    // of the request
  std::vector<ItemId> items_;  // of it, those with a text
  FittedRequest fitted_;
  bool needs_llm_ = false;
  bool is_late_ = false;
  bool in_windows_ = false;
  Ranking order_;
  ListOptions options_;
  std::optional<Prompt> whole_;  // of a list in one prompt
};

}  // namespace rsd
