// One prompt's view of a LlamaEngine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "llm/llama_state.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// The cache holds the prompt and, behind it, the items of `cached_`. An encoding keeps what agrees
// with the new proposal and re-encodes from the first change on.
class LlamaEngine::Scorer final : public PositionScorer {
 public:
  Scorer(State& state, Prompt prompt);

  std::size_t n_items() const noexcept override { return prompt_.identifiers.size(); }
  std::size_t n_prompt_tokens() const noexcept override { return prompt_.tokens.size(); }
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override;
  void forget_proposals() override;
  Result<Encoding> encode(const EncodingQuery& query) override;

 private:
  void check_owner() const;
  Result<void> encode_prompt(std::optional<Clock::time_point> give_up_at);
  bool drop_behind(std::size_t n_items);
  Result<void> rewind_to(std::size_t n_kept, const EncodingQuery& query, std::size_t& n_tokens);
  void read_row(const float* logits, std::span<float> row) const;

  State& state_;
  Prompt prompt_;
  std::uint64_t serial_;
  bool prompt_cached_ = false;
  std::optional<Prefill> prefill_;
  std::vector<float> first_row_;  // the logits behind the prompt, by item
  std::vector<ItemId> cached_;
};

}  // namespace rsd
