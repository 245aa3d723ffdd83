#include "rsd/ranker/ranking_queue.h"

#include <algorithm>
#include <span>
#include <utility>

#include "ranker/ranker_state.h"
#include "rsd/core/check.h"
#include "rsd/rank/relevance_scores.h"

namespace rsd {
namespace {

// No blank candidate has more.
constexpr double kBlankRelevance = 1e-4;

ScorerOpener opener_of(LlmEngine& llm, std::size_t parallel) {
  return {.has_room = [&llm](const Prompt& prompt) { return llm.has_room(prompt); },
          .open = [&llm](Prompt prompt) { return llm.open(std::move(prompt)); },
          .parallel = parallel};
}

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

}  // namespace

RankingQueue::RankingQueue(Ranker& ranker)
    : ranker_(ranker),
      batch_(ranker.llm(), opener_of(ranker.llm(), ranker.parallel()), &ranker.state_->costs) {}

Result<void> RankingQueue::add(std::size_t ticket, std::shared_ptr<const PreparedRequest> request) {
  RSD_CHECK(!waiting_.contains(ticket), "a ticket that is in the queue already");
  const auto& list = request->list_;
  if (list->needs_llm()) {
    auto run = ListRun::create(list->order(), list->options(), request->arrival());
    if (!run) return run.error();
    batch_.add(ticket, {.run = *std::move(run),
                        .prompt = [list](auto items) { return list->prompt(items); },
                        .arrival = request->arrival()});
  } else {
    settled_.push_back(ticket);
  }
  waiting_.emplace(ticket, std::move(request));
  return {};
}

Result<void> RankingQueue::add(std::size_t ticket, Request request, const RankOptions& options,
                               Clock::time_point arrival) {
  auto prepared = ranker_.prepare(std::move(request), options, arrival);
  if (!prepared) return prepared.error();
  return add(ticket, *std::move(prepared));
}

bool RankingQueue::cancel(std::size_t ticket) {
  if (waiting_.erase(ticket) == 0) return false;
  if (std::erase(settled_, ticket) == 0) batch_.cancel(ticket);
  return true;
}

void RankingQueue::on_left_out(OnLeftOut callback) {
  batch_.on_left_out(
      [this, callback = std::move(callback)](std::size_t ticket, const ListOutcome& so_far) {
        const PreparedRequest& request = *waiting_.at(ticket);
        ListOutcome completed = so_far;
        request.list_->complete(completed);
        callback(ticket, request.answer_of(completed));
      });
}

std::vector<RankingQueue::Finished> RankingQueue::step() {
  if (!settled_.empty()) return take_settled();
  std::vector<Finished> all;
  for (auto& list : batch_.step())
    all.push_back(finished(std::move(list)));
  return all;
}

std::vector<RankingQueue::Finished> RankingQueue::take_settled() {
  std::vector<Finished> all;
  for (const std::size_t ticket : std::exchange(settled_, {})) {
    const auto request = waiting_.extract(ticket).mapped();
    all.push_back({.ticket = ticket, .answer = request->answer_without_llm(Clock::now())});
  }
  return all;
}

RankingQueue::Finished RankingQueue::finished(ListBatch::Finished list) {
  const auto request = waiting_.extract(list.ticket).mapped();
  if (!list.outcome) return {.ticket = list.ticket, .answer = list.outcome.error()};
  const ListRequest& plan = *request->list_;
  plan.complete(*list.outcome);
  Answer answer = request->answer_of(*list.outcome);
  answer.truncated_candidates += list.truncated_candidates;
  if (!plan.in_windows() && !list.windows.empty()) {
    const auto& rounds = list.windows.front().decoding.history().rounds();
    if (!rounds.empty()) add_scores(answer, plan.items(), rounds.front().logits.row(0));
  }
  if (request->keep_rounds_) {
    for (auto& window : list.windows)
      answer.rounds.push_back(part_of(std::move(window), plan));
    std::ranges::sort(answer.rounds, {}, &RankedPart::window);
  }
  return {.ticket = list.ticket, .answer = std::move(answer)};
}

}  // namespace rsd
