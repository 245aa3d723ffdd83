// The interface of an LLM that serves requests, local or remote.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Default limit for the tokens of prompt and ranking together.
inline constexpr std::size_t kDefaultMaxContext = 8192;
// The most requests that may be open at a time.
inline constexpr std::size_t kMaxParallel = 128;

enum class Length { kLong, kShort };

// The most tokens of a short request: its prompt and everything that is encoded after it.
inline constexpr std::size_t kShortRequest = 512;

constexpr Length length_of(std::size_t n_tokens) noexcept {
  return n_tokens <= kShortRequest ? Length::kShort : Length::kLong;
}
inline Length length_of(const Prompt& prompt) noexcept {
  return length_of(prompt.tokens.size() + prompt.identifiers.size());
}

// The most places that an LLM keeps for short requests (LlmEngine::reserve_places).
inline constexpr std::size_t kReservedPlaces = 2;

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

  // Keeps n_places further places, 0 to kReservedPlaces, and room for as many prompts of
  // kShortRequest tokens, for short requests only: long ones keep none of them out. LogicError if a
  // scorer is open. An LLM that can only take one request at a time keeps none.
  virtual void reserve_places(std::size_t n_places) = 0;

  // The layout of prompts that the model is tuned for; nullopt if the model does not name one.
  virtual std::optional<PromptLayout> prompt_layout() const { return std::nullopt; }
  // Prefills of prompts in blocks have Prefill::relevance.
  virtual bool reads_relevance() const { return false; }
  // The reason why the engine takes no prompts in blocks; empty if it does.
  virtual std::string why_no_blocks() const { return "this engine encodes whole prompts"; }

  // Measures the costs of passes by a few short ones, so that they are known for the first request
  // with a deadline. No scorer may be open. kRuntime when the LLM fails. Does nothing by default.
  virtual Result<void> calibrate(CostModel& /*costs*/) { return {}; }
};

// An LLM whose passes can be timed by themselves, as one in this process can.
class TimedEngine : public LlmEngine {
 public:
  // The times of generating a text after a prompt.
  struct GenerationTimes {
    double prefill_ms = 0;
    double decode_ms = 0;
  };

  // Total time of the LLM's passes so far, without rsd's own work around them.
  virtual double passes_ms() const noexcept = 0;

  // Generates `answer` after `prompt` token by token, like programs that let an LLM write its
  // ranking as text: each step computes the logits of the whole vocabulary and searches their
  // maximum, but then appends the given token. For comparisons of speed. LogicError if a scorer is
  // open. kTooLong as in open(), kRuntime when the LLM fails. Cost: one pass for the prompt and one
  // per token of `answer` except the last.
  virtual Result<GenerationTimes> time_generation(std::span<const TokenId> prompt,
                                                  std::span<const TokenId> answer) = 0;
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
