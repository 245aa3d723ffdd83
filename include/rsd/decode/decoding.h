// The five decoders as one loop: propose, encode, keep what is known.
//
//   decoder | proposes                       | budget        | order of what is not known
//   --------+--------------------------------+---------------+---------------------------------
//   ar      | the known prefix               | none          | by the row at the prefix's end
//   std     | nothing: the prompt alone      | 1             | by the first row
//   sd      | known prefix, then first row   | optional      | by the first row
//   rsd     | known prefix, then the policy  | T             | by the policy
//   exact   | known prefix, then the policy  | none          | (all is known at the end)
//
// `Decoding` does no I/O: it says which encoding it needs and takes in the logits, so one scorer
// can serve it (decode/run.h), or one batch can serve many.
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

// Does it order what is not known by a policy of the user's? rsd and exact do.
constexpr bool uses_policy(DecoderKind kind) noexcept {
  return kind == DecoderKind::kRsd || kind == DecoderKind::kExact;
}

// Does a budget end it? rsd's and sd's do.
constexpr bool takes_budget(DecoderKind kind) noexcept {
  return kind == DecoderKind::kRsd || kind == DecoderKind::kSd;
}

// What the first encoding carries behind the prompt (sd, rsd and exact; the others carry nothing).
enum class Draft {
  kFirstToken,  // nothing: its one row orders the second encoding's proposal
  kInput,       // the input order: already the first encoding shows all positions
};

std::string_view to_string(Draft draft) noexcept;
Result<Draft> parse_draft(std::string_view name);
// The better one, as measured (docs/measurements.md): kInput for rsd with a budget of 1, which
// would see a single row otherwise; else kFirstToken, which agrees better at equal time.
Draft default_draft(DecoderKind decoder, std::optional<std::size_t> budget) noexcept;

struct DecodingOptions {
  DecoderKind decoder = DecoderKind::kRsd;
  // LLM encodings, the prefill's included; at least 1. Needed by rsd, optional for sd, unused
  // (ignored) by the others.
  std::optional<std::size_t> budget;
  std::optional<Draft> draft;  // nullopt = default_draft(), or kInput where there is first_proposal
  // What kInput proposes in place of the input order: a ranking that is likely to be right, such as
  // an earlier answer. As many items as the request.
  std::optional<Ranking> first_proposal;
  // Stop as soon as this many leading positions are known; at least 1, nullopt = all.
  std::optional<std::size_t> top_n;
  // Stop as soon as this item's position is known, and with it who is above it; an item of the
  // request.
  std::optional<ItemId> until_placed;
  // Of how many rounds, the last ones, the history keeps all rows (history.h); nullopt = as many as
  // the policy reads. kEveryRound to write the rounds down.
  std::optional<std::size_t> n_recent;
  // For rsd and exact. Shared and immutable.
  std::shared_ptr<const RankingPolicy> policy;
};

// One request's decoding. Not thread-safe; deterministic.
class Decoding {
 public:
  // An encoding that is needed next.
  struct Step {
    std::vector<ItemId> proposal;
    RowRange rows;
  };

  // kInvalidArgument: no items, a budget or top_n of 0, rsd without budget, rsd or exact without
  // policy, a first proposal of another number of items, an `until_placed` that is no item.
  static Result<Decoding> create(std::size_t n_items, DecodingOptions options);

  // The next encoding, or nullopt when the answer is final: all that is wanted (all positions,
  // top_n, until_placed) known, or the budget spent. Fails when the policy fails or gives unusable
  // scores.
  //
  // It asks for no row that can't change the answer: none behind the first top_n positions. Where
  // no budget limits the encodings, `costs` and the proposals accepted so far tell how many
  // positions to verify at a time (verified_rows_end); without costs it is all of them.
  Result<std::optional<Step>> next(const CostModel* costs = nullptr) const;

  // Takes in the logits that `step` asked for. kRuntime when a logit is not finite.
  Result<void> absorb(const Step& step, const LogitMatrix& logits);

  // The best ranking so far: the known prefix, then the policy's order; before any encoding the
  // input order. Always a valid permutation.
  Result<Ranking> ranking() const;

  // Will next() ask the policy, and would ranking()? That can take long (CostModel::policy_ms).
  bool next_asks_policy() const noexcept;
  bool ranking_asks_policy() const noexcept;
  // A ranking without the policy's time: what `pending`, the last step if it was not absorbed,
  // proposes; else the known prefix, then the order of the last proposal, or of the first row where
  // nobody has thought about that one. O(n_items).
  Ranking ranking_at_once(const std::optional<Step>& pending) const;

  const History& history() const noexcept { return history_; }
  const DecodingOptions& options() const noexcept { return options_; }
  // The budget in force: nullopt where this decoder has none.
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
