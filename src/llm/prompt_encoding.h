// How far one scorer's prompt is encoded.
#pragma once

#include <cstddef>
#include <optional>

#include "llm/lanes.h"
#include "llm/llama_state.h"
#include "llm/prompt_source.h"
#include "llm/scorer_part.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

// A prompt goes into the first lane in one pass or in pieces, and may have to do so again.
class PromptEncoding {
 public:
  // All three outlive it.
  PromptEncoding(LlamaEngine::State& state, PromptSource& source, Lanes& lanes)
      : state_(state), source_(source), lanes_(lanes) {}

  // All of it is in the cache, and perhaps items after it.
  bool is_cached() const noexcept { return is_cached_; }
  bool has_begun() const noexcept { return begun_.has_value(); }
  // The figures of the first time that it was encoded.
  const std::optional<Prefill>& prefill() const noexcept { return prefill_; }
  std::size_t n_to_encode(const PromptSource::Others& others) const;

  // At most max_tokens after those that the cache holds already, with the output of the prompt's
  // last one only; none as long as more is to come before them. Errors as of PromptSource::stage.
  Result<ScorerPart> stage(std::size_t max_tokens, const PromptSource::Others& others);
  // After the pass: `done` is false where it broke off.
  void finish(const ScorerPart& part, bool done);
  // It is encoded again, from its beginning, when it is needed. The lanes are released.
  void forget();
  // It is encoded again, since the cache can't drop what a pass has left after it.
  void spoil() noexcept { is_cached_ = false; }

 private:
  // A prompt that is encoded in pieces.
  struct Begun {
    Prefill sum;  // of the pieces so far
    PromptRest rest;
  };

  Result<ScorerPart> stage_source(const PromptSource::Others& others);
  void count(const Prefill& prefill);

  LlamaEngine::State& state_;
  PromptSource& source_;
  Lanes& lanes_;
  bool is_cached_ = false;
  std::optional<Begun> begun_;
  std::optional<Prefill> prefill_;
};

}  // namespace rsd
