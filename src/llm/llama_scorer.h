// One prompt's view of a LlamaEngine.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "llm/cache_room.h"
#include "llm/lanes.h"
#include "llm/llama_state.h"
#include "llm/output_head.h"
#include "llm/prompt_encoding.h"
#include "llm/prompt_source.h"
#include "llm/proposal_encoding.h"
#include "llm/scorer_part.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// The prompt goes into the first lane (PromptEncoding), the items of proposals after it
// (ProposalEncoding). Other scorers of the engine share its passes and its cache.
class LlamaScorer final : public PositionScorer, public CacheUser {
 public:
  // `head`: of the prompt's identifiers, where the context gives states.
  LlamaScorer(LlamaEngine::State& state, Prompt prompt, std::optional<IdentifierHead> head);
  ~LlamaScorer() override;
  LlamaScorer(const LlamaScorer&) = delete;
  LlamaScorer& operator=(const LlamaScorer&) = delete;

  std::size_t n_items() const noexcept override { return prompt_.identifiers.size(); }
  std::size_t n_prefill_tokens() const override { return encoding_.n_to_encode(others()); }
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override;
  void forget_proposals() override;
  Result<Encoding> encode(const EncodingQuery& query) override;
  Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries) override;

  // Before a pass. A cache that can't drop its end is filled anew here, which takes a pass of its
  // own.
  Result<ScorerPart> stage(const EncodingQuery& query, std::optional<Clock::time_point> give_up_at);
  // At most max_tokens of the rest of its prompt. See stage_prompts().
  Result<ScorerPart> stage_prompt(std::size_t max_tokens);
  bool prompt_has_begun() const noexcept { return encoding_.has_begun(); }
  bool wants_resident() const { return source_->wants_resident(others()); }
  BlockSource* in_blocks() noexcept { return source_->in_blocks(); }
  void forget_cache() override { encoding_.forget(); }

  // During a pass: the output of the part's token of that index.
  void take(ScorerPart& part, std::size_t token, std::span<const float> output);
  // After it: `done` is false where it broke off.
  void finish(ScorerPart& part, bool done);

 private:
  Length length() const override { return length_of(prompt_); }
  std::size_t claimed_cells() const override;
  void lose_cache() override;
  void forget_other_lanes() override { lanes_.forget_all_but_first(); }

  void check_owner() const;
  PromptSource::Others others() const;
  Result<Prefill> encode_prompt(std::optional<Clock::time_point> give_up_at);
  std::size_t n_lanes_for(std::span<const EncodingQuery> queries) const;
  bool side_by_side(std::span<const EncodingQuery> queries) const;
  Result<std::vector<Encoding>> encode_together(std::span<const EncodingQuery> queries);
  void read_row(std::span<const float> output, std::span<float> row) const;

  LlamaEngine::State& state_;
  Prompt prompt_;
  std::unique_ptr<PromptSource> source_;  // of prompt_
  Lanes lanes_;
  PromptEncoding encoding_;  // of prompt_
  ProposalEncoding proposals_;
  std::optional<IdentifierHead> head_;
  std::vector<float> first_row_;  // the logits after the prompt, by item
  bool owns_cache_ = true;
};

}  // namespace rsd
