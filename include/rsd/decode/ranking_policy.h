// The interface of the policies that order a proposal: one relevance score per item; and the
// policies that need no training, by name.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/history.h"

namespace rsd {

// Scores every item from the history of encodings. The decoding sorts only the pending items by
// score, so that no policy, however bad, can change the known prefix or break the permutation.
// Implementations are immutable: safe to share between threads.
class RankingPolicy {
 public:
  virtual ~RankingPolicy() = default;

  // The name on the command line and in reports.
  virtual std::string_view name() const noexcept = 0;
  // The number of last rounds of which it reads all of Round::logits; at least 1. For earlier
  // rounds the history keeps the rows up to their first disagreement, and History::latest_rows().
  virtual std::size_t rounds_read() const noexcept { return kRecentRounds; }

  // One finite score per item, higher is better, ties keep the input order. `history` has at least
  // one round. `encodings_left`: encodings left of the budget, this proposal's included; nullopt
  // without a budget, 0 when the proposal is the answer and is not encoded any more.
  virtual Result<std::vector<double>> score(const History& history,
                                            std::optional<std::size_t> encodings_left) const = 0;
};

// The names that policy_by_name takes, ordered by their measured strength.
std::vector<std::string_view> policy_names();
// kInvalidArgument for a name that is not among policy_names().
Result<std::shared_ptr<const RankingPolicy>> policy_by_name(std::string_view name);

// The default policy of `rsd` and `exact`.
inline constexpr std::string_view kDefaultPolicy = "replay";

}  // namespace rsd
