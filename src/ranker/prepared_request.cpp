#include <algorithm>
#include <utility>

#include "rsd/core/duration.h"
#include "rsd/rank/relevance_scores.h"
#include "rsd/ranker/ranker.h"

namespace rsd {

Answer PreparedRequest::answer_of(const ListOutcome& list) const {
  const Outcome& outcome = list.outcome;
  Answer answer{.ranking = outcome.ranking,
                .decoder = decoder_,
                .budget = list.budget,
                .encodings = outcome.encodings,
                .verified_prefix = outcome.verified_prefix,
                .tokens_encoded = outcome.tokens_encoded,
                .prompt_tokens = outcome.prompt_tokens,
                .tokens_reused = outcome.tokens_reused,
                .truncated_candidates = list_->truncated_candidates(),
                .truncated_query = list_->truncated_query(),
                .deadline_hit = outcome.deadline_hit,
                .prefill_ms = outcome.timing.prefill_ms,
                .decode_ms = outcome.timing.decode_ms,
                .agent_ms = outcome.timing.agent_ms,
                .total_ms = outcome.timing.total_ms};
  auto scores = relevance_scores(answer.ranking, {});
  answer.relevance = std::move(scores.relevance);
  answer.raw_relevance = std::move(scores.raw);
  if (!list_->in_windows()) return answer;
  const WindowOptions& windows = list_->options().windows;
  answer.windows = {.count = list.n_windows,
                    .confirmed_prefix = list.confirmed_prefix,
                    .size = windows.size,
                    .method = std::string(to_string(windows.method))};
  return answer;
}

Answer PreparedRequest::answer_without_llm(Clock::time_point now) const {
  if (!needs_llm()) return answer_of(list_->settled(arrival_, now));
  ListOutcome late;
  late.outcome.ranking = list_->order();
  late.outcome.deadline_hit = true;
  late.outcome.timing.total_ms = ms_between(arrival_, now);
  late.budget = budget_of(list_->options(), list_->order().size(), /*n_windows=*/0);
  list_->complete(late);
  return answer_of(late);
}

}  // namespace rsd
