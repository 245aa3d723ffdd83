// One prompt's view of a LlamaEngine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "llm/llama_state.h"
#include "llm/output_head.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// Lane i is sequence i of the cache: the prompt, whose cells the lanes share, and behind it the
// items of lanes_[i]. An encoding keeps what agrees with the new proposal and re-encodes from the
// first change on.
class LlamaEngine::Scorer final : public PositionScorer {
 public:
  // `head`: of the prompt's identifiers, where the state has an OutputHead.
  Scorer(State& state, Prompt prompt, std::optional<IdentifierHead> head);

  std::size_t n_items() const noexcept override { return prompt_.identifiers.size(); }
  std::size_t n_prompt_tokens() const noexcept override { return prompt_.tokens.size(); }
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override;
  void forget_proposals() override;
  Result<Encoding> encode(const EncodingQuery& query) override;
  Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries) override;

 private:
  struct Plan;

  void check_owner() const;
  bool side_by_side(std::span<const EncodingQuery> queries) const;
  Result<std::size_t> encode_prompt(std::optional<Clock::time_point> give_up_at);
  bool drop_behind(std::size_t lane, std::size_t n_items);
  Plan plan(const EncodingQuery& query) const;
  Result<void> rewind(std::span<Plan> plans, std::optional<Clock::time_point> give_up_at);
  Result<std::vector<Encoding>> encode_together(std::span<const EncodingQuery> queries);
  Result<void> run(std::span<const Plan> plans, std::span<Encoding> encodings,
                   std::optional<Clock::time_point> give_up_at);
  void read_row(std::span<const float> output, std::span<float> row) const;

  State& state_;
  Prompt prompt_;
  std::optional<IdentifierHead> head_;
  std::uint64_t serial_;
  bool prompt_cached_ = false;
  std::optional<Prefill> prefill_;
  std::vector<float> first_row_;  // the logits behind the prompt, by item
  // Of the lanes that hold the prompt: the first one always does, while prompt_cached_.
  std::vector<std::optional<std::vector<ItemId>>> lanes_;
};

}  // namespace rsd
