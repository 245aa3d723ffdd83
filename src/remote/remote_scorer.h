// A scorer of a remote LLM.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "remote/dispatcher.h"
#include "remote/remote_state.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

class RemoteEngine::Scorer final : public PositionScorer {
 public:
  Scorer(State& state, Prompt prompt);
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;
  ~Scorer() override;

  std::size_t n_items() const noexcept override { return prompt_.identifiers.size(); }
  std::size_t n_prefill_tokens() const override { return prompt_.tokens.size(); }
  Length length() const { return length_of(prompt_); }
  bool has_own_prefill() const noexcept override { return false; }
  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override;
  // Can't clear the server's cache: whatever it still holds makes the next encoding cheaper.
  void forget_proposals() override;
  Result<Encoding> encode(const EncodingQuery& query) override;
  Result<std::vector<Encoding>> encode_all(std::span<const EncodingQuery> queries) override;

  RowQuestion question(const EncodingQuery& query) const;
  const std::optional<std::size_t>& replica() const noexcept { return replica_; }
  // A remembered answer to the same query, if any.
  std::optional<Encoding> recall(const EncodingQuery& query);
  // `answered.answer` must be a success.
  Encoding note_answer(const EncodingQuery& query, Dispatcher::Answered answered);

 private:
  struct Remembered {
    std::vector<ItemId> prefix;  // the items that the rows depend on
    RowRange rows;
    Encoding encoding;
  };

  static std::span<const ItemId> prefix_of(const EncodingQuery& query);
  static bool is_of(const Remembered& remembered, const EncodingQuery& query);
  void remember(const EncodingQuery& query, const Encoding& encoding);
  void bind_to(std::size_t replica);
  void count_reuse(const RowAnswer& answer);

  State& state_;
  Prompt prompt_;
  std::optional<std::size_t> replica_;   // the replica with the prompt in its cache
  bool is_counted_ = false;              // counted among the engine's prompts
  bool prompt_is_billed_ = false;        // billed to an encoding since forget_proposals()
  std::optional<Remembered> first_row_;  // row 0, for all decodings of the request
  std::deque<Remembered> remembered_;    // the latest, at most kMostRemembered
};

}  // namespace rsd
