// One prompt's view of a LlamaEngine.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "llm/llama_state.h"
#include "llm/output_head.h"
#include "llm/prompt_source.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// Each lane is a sequence of the cache: the prompt, whose cells the lanes share, and behind it the
// lane's items. An encoding keeps what agrees with the new proposal and re-encodes from the first
// change on.
class LlamaEngine::Scorer final : public PositionScorer {
 public:
  // `head`: of the prompt's identifiers, where the state has an OutputHead.
  Scorer(State& state, Prompt prompt, std::optional<IdentifierHead> head);
  ~Scorer() override;
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  std::size_t n_items() const noexcept override { return prompt_.identifiers.size(); }
  std::size_t n_prefill_tokens() const override;
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override;
  void forget_proposals() override;
  Result<Encoding> encode(const EncodingQuery& query) override;
  Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries) override;

  // What a scorer puts into a pass of the LLM, and what comes out for it.
  struct Part;
  struct PromptPart {
    Scorer* scorer = nullptr;
    std::size_t max_tokens = kWholePrompt;  // of the rest of its prompt
  };
  // Takes passes of its own where prompts are in blocks, which end at the deadline.
  static Result<std::vector<Part>> stage_prompts(State& state, std::span<const PromptPart> prompts,
                                                 std::optional<Clock::time_point> give_up_at);
  // A cache that can't drop its end is filled anew here, which takes a pass of its own.
  Result<Part> stage(const EncodingQuery& query, std::optional<Clock::time_point> give_up_at);
  // One pass for all parts; whatever happens, each scorer is told.
  static Result<void> encode_parts(State& state, std::span<Part> parts,
                                   std::optional<Clock::time_point> give_up_at);

  Length length() const { return length_of(prompt_); }
  // Cells of the cache that are, or may come to be, its own.
  std::size_t claimed_cells() const;
  // Another scorer takes its place.
  void lose_cache();
  // Leaves the first lane; the others begin anew when they are used.
  void forget_other_lanes();
  // The prompt is encoded again when it is needed.
  void forget_cache();

 private:
  // Tokens of the prompt that are still to be encoded.
  struct Rest {
    std::span<const TokenId> tokens;
    std::size_t position = 0;  // of the first of them
  };
  // A prompt that is encoded in pieces.
  struct Begun {
    Prefill sum;  // of the pieces so far
    Rest rest;
  };
  struct Lane {
    std::size_t sequence = 0;
    std::vector<ItemId> items;  // in the cache behind the prompt
  };

  void check_owner() const;
  PromptSource::Others others() const;
  Result<Part> stage_prompt(std::size_t max_tokens);
  Result<Part> begin_prompt();
  Result<Prefill> encode_prompt(std::optional<Clock::time_point> give_up_at);
  std::size_t n_lanes_lacking(std::size_t n_lanes) const;
  Lane& lane(std::size_t number);
  bool drop_behind(std::size_t number, std::size_t n_items);
  bool side_by_side(std::span<const EncodingQuery> queries) const;
  Result<std::vector<Encoding>> encode_together(std::span<const EncodingQuery> queries);
  void take(Part& part, std::size_t token, std::span<const float> output);
  void finish(Part& part, bool done);
  void finish_prompt(const Part& part, bool done);
  void read_row(std::span<const float> output, std::span<float> row) const;

  State& state_;
  Prompt prompt_;
  std::unique_ptr<PromptSource> source_;  // of prompt_
  std::optional<IdentifierHead> head_;
  bool owns_cache_ = true;
  bool prompt_cached_ = false;
  std::optional<Begun> begun_;
  std::optional<Prefill> prefill_;
  std::vector<float> first_row_;  // the logits behind the prompt, by item
  // The first one is there as soon as the prompt is encoded.
  std::vector<std::optional<Lane>> lanes_;
};

struct LlamaEngine::Scorer::Part {
  Scorer* scorer = nullptr;
  std::optional<EncodingQuery> query;  // nullopt: the prompt
  std::vector<TokenId> tokens;         // to encode
  std::size_t sequence = 0;
  std::size_t first_position = 0;  // of these, in the sequence
  std::size_t first_output = 0;    // index of the first of them whose output is wanted
  std::size_t n_kept = 0;          // of a query: items in the lane's cache that are kept
  std::size_t n_again = 0;         // tokens of a prompt that had to be encoded anew for it
  Prefill prefill;                 // of the prompt
  Rest rest;                       // of the prompt, after `tokens`
  Encoding encoding;               // of a query

  std::size_t n_tokens() const { return tokens.size() + n_again; }
};

}  // namespace rsd
