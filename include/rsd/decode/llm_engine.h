// An LLM that serves requests, wherever it runs.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>

#include "rsd/core/result.h"
#include "rsd/decode/places.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Tokens that prompt and ranking may take where nobody says how many.
inline constexpr std::size_t kDefaultMaxContext = 8192;
// Requests that may be open at a time, at most.
inline constexpr std::size_t kMaxParallel = 128;

// Of all prompts of an engine so far.
struct PromptReuse {
  std::size_t n_prompts = 0;
  std::size_t n_hits = 0;          // prompts of which a beginning was used again
  std::size_t tokens_encoded = 0;  // of the prompts
  std::size_t tokens_reused = 0;
  std::size_t kept_prompts = 0;  // in memory of ours
  std::size_t kept_bytes = 0;
};

// Opens a scorer for each request and serves those that are open, in passes. Not thread-safe: one
// thread at a time may use an engine and its scorers; the tokenizer may be shared.
class LlmEngine : public BatchScorer {
 public:
  // The model, as reports name it: a file, or what the server that runs it calls it.
  virtual std::string model_name() const = 0;
  // Tokens that prompt and ranking may take together.
  virtual std::size_t context_size() const noexcept = 0;
  virtual std::shared_ptr<const Tokenizer> tokenizer() const noexcept = 0;
  virtual PromptReuse prompt_reuse() const noexcept = 0;

  // Candidates that a prompt may have, at most, whatever their texts.
  virtual std::size_t max_items() const noexcept { return std::numeric_limits<std::size_t>::max(); }

  // A scorer for one prompt; nothing is encoded yet. The engine must outlive its scorers. kTooLong
  // when prompt and ranking exceed the context, kUnsupported when there are more identifiers than
  // max_items().
  virtual Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) = 0;
  // May it be opened beside those that are?
  virtual bool has_room(const Prompt& prompt) const noexcept = 0;
  // Keeps so many more places, and room for as many prompts of kShortRequest tokens, for short ones
  // (decode/places.h). To be called before any is open. An LLM that takes one request at a time,
  // whatever it was asked for, keeps none.
  virtual void reserve_places(std::size_t n_places) = 0;
};

}  // namespace rsd
