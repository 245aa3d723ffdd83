#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ranker/prepared_plan.h"
#include "rsd/core/duration.h"
#include "rsd/rank/relevance_scores.h"

namespace rsd {
namespace {

// Of a candidate without a text, which no LLM reads.
constexpr double kBlankLogOdds = -20;

// What the LLM has read of each candidate that has a text, `log_odds` by index of `shown`. nullopt:
// it doesn't read relevance, or had no time to read all of them.
std::optional<RelevanceScores> read_scores(const Ranking& ranking, std::span<const ItemId> shown,
                                           std::span<const float> log_odds) {
  const auto is_unread = [](float value) { return std::isnan(value); };
  if (log_odds.size() != shown.size() || std::ranges::any_of(log_odds, is_unread))
    return std::nullopt;
  std::vector<double> by_item(ranking.size(), kBlankLogOdds);
  for (std::size_t i = 0; i < shown.size(); ++i)
    by_item[shown[i].slot()] = static_cast<double>(log_odds[i]);
  RelevanceScores scores;
  for (const ItemId item : ranking.items()) {
    scores.raw.push_back(by_item[item.slot()]);
    scores.relevance.push_back(1 / (1 + std::exp(-by_item[item.slot()])));
  }
  return scores;
}

}  // namespace

PreparedRequest::PreparedRequest(std::unique_ptr<const Plan> plan) : plan_(std::move(plan)) {}

PreparedRequest::~PreparedRequest() = default;

const Request& PreparedRequest::request() const noexcept {
  return plan_->request;
}

bool PreparedRequest::needs_llm() const noexcept {
  return plan_->list->needs_llm();
}

Clock::time_point PreparedRequest::arrival() const noexcept {
  return plan_->arrival;
}

std::optional<Clock::time_point> PreparedRequest::deadline() const noexcept {
  return plan_->list->options().deadline;
}

std::size_t PreparedRequest::expected_tokens() const noexcept {
  return plan_->list->expected_tokens();
}

Answer PreparedRequest::Plan::answer_of(const ListOutcome& ranked) const {
  const Outcome& outcome = ranked.outcome;
  Answer answer{.ranking = outcome.ranking,
                .min_score = min_score,
                .decoder = decoder,
                .budget = ranked.budget,
                .encodings = outcome.encodings,
                .verified_prefix = outcome.verified_prefix,
                .tokens_encoded = outcome.tokens_encoded,
                .prompt_tokens = outcome.prompt_tokens,
                .tokens_reused = outcome.tokens_reused,
                .candidates_reused = outcome.candidates_reused,
                .truncated_candidates = list->truncated_candidates(),
                .truncated_query = list->truncated_query(),
                .deadline_hit = outcome.deadline_hit,
                .prefill_ms = outcome.timing.prefill_ms,
                .decode_ms = outcome.timing.decode_ms,
                .agent_ms = outcome.timing.agent_ms,
                .total_ms = outcome.timing.total_ms};
  const auto read = read_scores(answer.ranking, list->items(), outcome.relevance);
  answer.relevance_is_probability = read.has_value();
  auto scores = read.value_or(relevance_scores(answer.ranking, {}));
  answer.relevance = std::move(scores.relevance);
  answer.raw_relevance = std::move(scores.raw);
  if (!list->in_windows()) return answer;
  const WindowOptions& windows = list->options().windows;
  answer.windows = {.count = ranked.n_windows,
                    .confirmed_prefix = ranked.confirmed_prefix,
                    .size = windows.size,
                    .method = std::string(to_string(windows.method))};
  return answer;
}

Answer PreparedRequest::answer_without_llm(Clock::time_point now) const {
  const ListRequest* list = plan_->list.get();
  if (!needs_llm()) return plan_->answer_of(list->settled(plan_->arrival, now));
  ListOutcome late;
  late.outcome.ranking = Ranking::identity(list->order().size());
  late.outcome.deadline_hit = true;
  late.outcome.timing.total_ms = ms_between(plan_->arrival, now);
  late.budget = budget_of(list->options(), list->order().size(), /*n_windows=*/0);
  list->complete(late);
  return plan_->answer_of(late);
}

}  // namespace rsd
