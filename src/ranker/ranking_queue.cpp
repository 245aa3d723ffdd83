#include "rsd/ranker/ranking_queue.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "ranker/prepared_plan.h"
#include "ranker/ranker_state.h"
#include "rsd/core/check.h"
#include "rsd/rank/relevance_scores.h"
#include "rsd/window/list_batch.h"

namespace rsd {
namespace {

// No blank candidate has more.
constexpr double kBlankRelevance = 1e-4;

// Blank candidates are below all others, by as much as the scores allow.
void add_blank_scores(RelevanceScores& scores, std::size_t n_blank) {
  constexpr double kFarBelow = 30;  // nats
  const double relevance = scores.relevance.back();
  const double raw = scores.raw.back();
  for (std::size_t i = 1; i <= n_blank; ++i) {
    const auto place = static_cast<double>(i);
    const double share = static_cast<double>(n_blank + 1 - i) / static_cast<double>(n_blank + 1);
    scores.relevance.push_back(std::min(relevance, kBlankRelevance) * share);
    scores.raw.push_back(raw - kFarBelow - place);
  }
}

// By the LLM's first row, which is of `items`: the candidates that the LLM saw.
void add_scores(Answer& answer, std::span<const ItemId> items, std::span<const float> first_row) {
  std::vector<ItemId> index_of(answer.ranking.size());
  for (std::size_t i = 0; i < items.size(); ++i)
    index_of[items[i].slot()] = ItemId(i);
  std::vector<ItemId> seen;
  seen.reserve(items.size());
  for (const ItemId item : answer.ranking.items().first(items.size()))
    seen.push_back(index_of[item.slot()]);
  auto scores = relevance_scores(*Ranking::create(std::move(seen)), first_row);
  add_blank_scores(scores, answer.ranking.size() - items.size());
  answer.relevance = std::move(scores.relevance);
  answer.raw_relevance = std::move(scores.raw);
}

// By index of the request.
RankedPart part_of(ListBatch::Decoded window, const ListRequest& list) {
  std::vector<ItemId> items;
  items.reserve(window.items.size());
  for (const ItemId item : window.items)
    items.push_back(list.items()[item.slot()]);
  return {.window = list.in_windows() ? window.number + 1 : 0,
          .items = std::move(items),
          .ranking = std::move(window.outcome.ranking),
          .history = window.decoding.history(),
          .round_ms = std::move(window.outcome.round_ms)};
}

// The answer to a list that went through the LLM.
Answer answer_of(const PreparedRequest::Plan& plan, ListOutcome outcome,
                 std::vector<ListBatch::Decoded> windows) {
  const ListRequest& list = *plan.list;
  list.complete(outcome);
  Answer answer = plan.answer_of(outcome);
  if (!answer.relevance_is_probability && !list.in_windows() && !windows.empty()) {
    const auto& rounds = windows.front().decoding.history().rounds();
    if (!rounds.empty()) add_scores(answer, list.items(), rounds.front().logits.row(0));
  }
  if (!plan.keep_rounds) return answer;
  for (auto& window : windows)
    answer.rounds.push_back(part_of(std::move(window), list));
  std::ranges::sort(answer.rounds, {}, &RankedPart::window);
  return answer;
}

}  // namespace

struct RankingQueue::State {
  State(Ranker& on, CostModel& costs, std::size_t reserved)
      : ranker(on), batch(on.llm(), {.for_all = on.parallel(), .for_short = reserved}, &costs) {}

  // Leaves the queue.
  std::shared_ptr<const PreparedRequest> take(std::size_t ticket) {
    return waiting.extract(ticket).mapped();
  }

  Ranker& ranker;
  std::map<std::size_t, std::shared_ptr<const PreparedRequest>> waiting;  // by ticket
  std::vector<std::size_t> settled;  // tickets of those that need no LLM
  ListBatch batch;
};

RankingQueue::RankingQueue(Ranker& ranker, const QueueOptions& options) {
  ranker.llm().reserve_places(options.reserved);
  state_ = std::make_unique<State>(ranker, ranker.state_->costs, options.reserved);
  if (options.longest_pass) state_->batch.limit_passes(*options.longest_pass);
}

RankingQueue::~RankingQueue() = default;

std::size_t RankingQueue::size() const noexcept {
  return state_->waiting.size();
}

bool RankingQueue::has_place(Length length) const {
  return state_->batch.has_place(length);
}

Result<void> RankingQueue::add(std::size_t ticket, std::shared_ptr<const PreparedRequest> request) {
  State& queue = *state_;
  RSD_CHECK(!queue.waiting.contains(ticket), "a ticket that is in the queue already");
  const auto& list = request->plan().list;
  if (!list->needs_llm()) {
    queue.settled.push_back(ticket);
    queue.waiting.emplace(ticket, std::move(request));
    return {};
  }
  auto run = ListRun::create(list->order(), list->options(), request->arrival());
  if (!run) return run.error();
  queue.waiting.emplace(ticket, request);  // first: what the batch knows is always here
  queue.batch.add(ticket, {.run = *std::move(run),
                           .prompt = [list](auto items) { return list->prompt(items); },
                           .arrival = request->arrival()});
  return {};
}

Result<void> RankingQueue::add(std::size_t ticket, Request request, const RankOptions& options,
                               Clock::time_point arrival) {
  auto prepared = state_->ranker.prepare(std::move(request), options, arrival);
  if (!prepared) return prepared.error();
  return add(ticket, *std::move(prepared));
}

bool RankingQueue::cancel(std::size_t ticket) {
  if (state_->waiting.erase(ticket) == 0) return false;
  if (std::erase(state_->settled, ticket) == 0) state_->batch.cancel(ticket);
  return true;
}

void RankingQueue::on_left_out(OnLeftOut callback) {
  state_->batch.on_left_out(
      [this, callback = std::move(callback)](std::size_t ticket, const ListOutcome& so_far) {
        callback(ticket, answer_of(state_->waiting.at(ticket)->plan(), so_far, {}));
      });
}

std::vector<RankingQueue::Finished> RankingQueue::step() {
  std::vector<Finished> finished;
  for (const std::size_t ticket : std::exchange(state_->settled, {}))
    finished.push_back(
        {.ticket = ticket, .answer = state_->take(ticket)->answer_without_llm(Clock::now())});
  if (!finished.empty()) return finished;
  for (auto& list : state_->batch.step()) {
    const auto request = state_->take(list.ticket);
    if (!list.outcome) {
      finished.push_back({.ticket = list.ticket, .answer = list.outcome.error()});
      continue;
    }
    Answer answer = answer_of(request->plan(), *std::move(list.outcome), std::move(list.windows));
    answer.truncated_candidates += list.truncated_candidates;
    finished.push_back({.ticket = list.ticket, .answer = std::move(answer)});
  }
  return finished;
}

}  // namespace rsd
