// The interface of an LLM that serves requests, local or remote.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/places.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Default limit for the tokens of prompt and ranking together.
inline constexpr std::size_t kDefaultMaxContext = 8192;
// The most requests that may be open at a time.
inline constexpr std::size_t kMaxParallel = 128;

// Totals over all prompts of an engine so far.
struct PromptReuse {
  std::size_t n_prompts = 0;
  std::size_t n_hits = 0;          // prompts whose beginning was reused
  std::size_t tokens_encoded = 0;  // of the prompts
  std::size_t tokens_reused = 0;
  std::size_t kept_prompts = 0;  // in the engine's own memory
  std::size_t kept_blocks = 0;   // of prompts in blocks
  std::size_t kept_bytes = 0;    // of both
  // Candidates of prompts in blocks: those whose block was kept, was in an index, or had to be
  // encoded; and blocks that were dropped to make room.
  std::size_t candidates_kept = 0;
  std::size_t candidates_indexed = 0;
  std::size_t candidates_encoded = 0;
  std::size_t blocks_evicted = 0;
};

// Opens a scorer for each request and serves the open ones in passes. Not thread-safe: one thread
// at a time may use an engine and its scorers; the tokenizer may be shared.
class LlmEngine : public BatchScorer {
 public:
  // The model's name in reports: its file, or the server's name for it.
  virtual std::string model_name() const = 0;
  // The limit for the tokens of prompt and ranking together.
  virtual std::size_t context_size() const noexcept = 0;
  virtual std::shared_ptr<const Tokenizer> tokenizer() const noexcept = 0;
  virtual PromptReuse prompt_reuse() const noexcept = 0;

  // The most candidates that a prompt may have, whatever their texts.
  virtual std::size_t max_items() const noexcept { return std::numeric_limits<std::size_t>::max(); }

  // Opens a scorer for one prompt and encodes nothing yet. The engine must outlive its scorers.
  // kTooLong when prompt and ranking exceed the context, kUnsupported when there are more
  // identifiers than max_items().
  virtual Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) = 0;
  // True if `prompt` can be opened in addition to the open ones.
  virtual bool has_room(const Prompt& prompt) const noexcept = 0;

  // Keeps n_places more places, and room for as many prompts of kShortRequest tokens, for short
  // requests (decode/places.h). To be called before any scorer is open. An LLM that can only take
  // one request at a time keeps none.
  virtual void reserve_places(std::size_t n_places) = 0;

  // The layout of prompts that the model is tuned for; nullopt where it doesn't say.
  virtual std::optional<PromptLayout> prompt_layout() const { return std::nullopt; }
  // Why the engine takes no prompts in blocks; empty: it does.
  virtual std::string why_no_blocks() const { return "this engine encodes whole prompts"; }

  // Measures what passes cost, by a few short ones, so that the first request with a deadline knows
  // what it has time for. No scorer may be open. kRuntime when the LLM fails. Engines that have no
  // cost worth learning do nothing.
  virtual Result<void> calibrate(CostModel& /*costs*/) { return {}; }
};

struct OpenedRequest {
  std::unique_ptr<PositionScorer> scorer;  // not null, of as many items as the request
  std::size_t truncated_candidates = 0;    // texts that were cut to fit the context
};

// Renders the request as one prompt and opens a scorer for it, for programs that decode themselves.
// `prompts` are for the LLM's tokenizer. Errors of PromptBuilder::build and LlmEngine::open.
Result<OpenedRequest> open_request(LlmEngine& llm, const PromptBuilder& prompts,
                                   const Request& request);

}  // namespace rsd
