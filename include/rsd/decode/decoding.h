// The five decoders as one loop: propose, encode, extend the known prefix.
//
//   decoder | proposes                       | budget        | order of the pending items
//   --------+--------------------------------+---------------+---------------------------------
//   ar      | the known prefix               | none          | by the row at the prefix's end
//   std     | nothing: the prompt alone      | 1             | by the first row
//   sd      | known prefix, then first row   | optional      | by the first row
//   rsd     | known prefix, then the policy  | T             | by the policy
//   exact   | known prefix, then the policy  | none          | (none is pending at the end)
//
// `Decoding` does no I/O: it returns the next encoding that it needs and takes in the logits, so
// one scorer can serve it (decode/run.h), or one batch can serve many (decode/batch_run.h).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/history.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/rank/ranking.h"

namespace rsd {

enum class DecoderKind { kAr, kStd, kSd, kRsd, kExact };

std::string_view to_string(DecoderKind kind) noexcept;
// kInvalidArgument for other names than ar, std, sd, rsd, exact.
Result<DecoderKind> parse_decoder(std::string_view name);

// True for decoders that order the pending items by the user's policy: rsd and exact.
constexpr bool uses_policy(DecoderKind kind) noexcept {
  return kind == DecoderKind::kRsd || kind == DecoderKind::kExact;
}

// True for decoders that a budget can end: rsd and sd.
constexpr bool takes_budget(DecoderKind kind) noexcept {
  return kind == DecoderKind::kRsd || kind == DecoderKind::kSd;
}

// The proposal that the first encoding carries after the prompt (sd, rsd and exact; the other
// decoders carry none).
enum class Draft {
  kFirstToken,  // none: its one row orders the second encoding's proposal
  kInput,       // the input order: the first encoding returns rows for all positions
};

std::string_view to_string(Draft draft) noexcept;
Result<Draft> parse_draft(std::string_view name);
// The better draft, as measured (docs/measurements.md): kInput for rsd with a budget of 1, which
// would otherwise see a single row; else kFirstToken, which agrees better at equal time.
Draft default_draft(DecoderKind decoder, std::optional<std::size_t> budget) noexcept;

struct DecodingOptions {
  DecoderKind decoder = DecoderKind::kRsd;
  // LLM encodings, the prefill included; at least 1. Needed by rsd, optional for sd, unused
  // (ignored) by the others.
  std::optional<std::size_t> budget;
  std::optional<Draft> draft;  // nullopt = kInput if there is a first_proposal, else
                               // default_draft()
  // Replaces the input order that kInput proposes: a ranking that is likely to be right, such as an
  // earlier answer. It has as many items as the request.
  std::optional<Ranking> first_proposal;
  // Stop as soon as this many leading positions are known; at least 1, nullopt = all.
  std::optional<std::size_t> top_n;
  // Stop as soon as this item's position is known, and so all items above it; an item of the
  // request.
  std::optional<ItemId> until_placed;
  // Encode the prompt of a single item, too, of which nothing but its relevance is to be found out.
  bool reads_single = false;
  // The number of last rounds of which the history keeps all rows (history.h); nullopt = as many as
  // the policy reads. Use kEveryRound to record the rounds.
  std::optional<std::size_t> n_recent;
  // For rsd and exact. Shared and immutable.
  std::shared_ptr<const RankingPolicy> policy;
};

// One request's decoding. Not thread-safe; deterministic.
class Decoding {
 public:
  // The next encoding that the decoding needs.
  struct Step {
    std::vector<ItemId> proposal;
    RowRange rows;
  };

  // kInvalidArgument: no items, a budget or top_n of 0, rsd without budget, rsd or exact without
  // policy, a first proposal of another number of items, an `until_placed` that is not an item.
  static Result<Decoding> create(std::size_t n_items, DecodingOptions options);

  // The next encoding, or nullopt when the answer is final: all wanted positions (all, top_n,
  // until_placed) are known, or the budget is spent. Fails when the policy fails or returns
  // unusable scores.
  //
  // It requests no row that can't change the answer: none after the first top_n positions. Without
  // a budget, the number of positions to verify in one encoding follows from `costs` and the share
  // of proposed positions accepted so far (verified_rows_end); without costs all are verified.
  Result<std::optional<Step>> next(const CostModel* costs = nullptr) const;

  // Takes in the logits that `step` requested. kRuntime when a logit is not finite.
  Result<void> absorb(const Step& step, const LogitMatrix& logits);

  // The best ranking so far: the known prefix, then the policy's order; before any encoding the
  // input order. Always a valid permutation.
  Result<Ranking> ranking() const;

  // True if next(), or ranking(), would call the policy, which can take long
  // (CostModel::policy_ms).
  bool next_asks_policy() const noexcept;
  bool ranking_asks_policy() const noexcept;
  // A ranking without calling the policy: the proposal of `pending` (the last step, if it was not
  // absorbed); else the known prefix, then the order of the last proposal, or of the first row if
  // that proposal was partial or only the input order. O(n_items).
  Ranking ranking_at_once(const std::optional<Step>& pending) const;

  const History& history() const noexcept { return history_; }
  const DecodingOptions& options() const noexcept { return options_; }
  // The budget in force; nullopt if this decoder has none.
  std::optional<std::size_t> budget() const noexcept;

 private:
  Decoding(std::size_t n_items, DecodingOptions options);

  bool finished() const noexcept;
  bool verifies_whole_list() const noexcept;
  Draft draft() const noexcept;
  Result<Ranking> propose(std::optional<std::size_t> encodings_left) const;

  DecodingOptions options_;
  History history_;
};

}  // namespace rsd
