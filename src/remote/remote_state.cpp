#include "remote/remote_state.h"

#include <algorithm>

#include "remote/remote_scorer.h"
#include "rsd/core/check.h"

namespace rsd {

RemoteEngine::Scorer& RemoteEngine::State::own(PositionScorer* scorer) const {
  const auto found = std::ranges::find(scorers, scorer);
  RSD_CHECK(found != scorers.end(), "a part of a scorer that isn't open");
  return **found;
}

PartQueue::Ticket RemoteEngine::State::start(const PassPart& part) {
  Scorer& scorer = own(part.scorer);
  if (part.query) return start(scorer, *part.query);
  end(next_ticket_, PartResult(*scorer.prefill(std::nullopt)));
  return next_ticket_++;
}

PartQueue::Ticket RemoteEngine::State::start(Scorer& scorer, const EncodingQuery& query) {
  const Ticket ticket = next_ticket_++;
  if (auto known = scorer.recall(query)) {
    end(ticket, PartResult(*std::move(known)));
    return ticket;
  }
  const auto id = dispatcher->ask(scorer.question(query), scorer.replica());
  open_.emplace(id, Open{.ticket = ticket, .scorer = &scorer, .query = query});
  return ticket;
}

void RemoteEngine::State::cancel(Ticket ticket) {
  std::erase_if(ended_, [ticket](const Ended& ended) { return ended.ticket == ticket; });
  const auto found = std::ranges::find_if(
      open_, [ticket](const auto& entry) { return entry.second.ticket == ticket; });
  if (found == open_.end()) return;
  dispatcher->cancel(found->first);
  open_.erase(found);
}

void RemoteEngine::State::forget(const Scorer& scorer) {
  std::erase(scorers, &scorer);
  std::erase_if(open_, [&](const auto& entry) {
    if (entry.second.scorer != &scorer) return false;
    dispatcher->cancel(entry.first);
    return true;
  });
}

std::vector<PartQueue::Ended> RemoteEngine::State::wait(Clock::time_point until) {
  if (ended_.empty()) collect(until);
  return std::exchange(ended_, {});
}

void RemoteEngine::State::collect(Clock::time_point until) {
  for (auto& answered : dispatcher->wait(until)) {
    const auto found = open_.find(answered.id);
    RSD_CHECK(found != open_.end(), "an answer to what nobody asked");
    const Open open = found->second;
    open_.erase(found);
    if (answered.answer) {
      end(open.ticket, PartResult(open.scorer->note_answer(open.query, std::move(answered))));
    } else {
      end(open.ticket, answered.answer.error());
    }
  }
}

std::optional<Result<PartResult>> RemoteEngine::State::take(Ticket ticket) {
  const auto found = std::ranges::find(ended_, ticket, &Ended::ticket);
  if (found == ended_.end()) return std::nullopt;
  auto result = std::move(found->result);
  ended_.erase(found);
  return result;
}

Result<std::vector<Encoding>> RemoteEngine::State::encode(
    std::span<const Asked> asked, std::optional<Clock::time_point> give_up_at) {
  std::vector<Ticket> tickets;
  tickets.reserve(asked.size());
  for (const Asked& one : asked)
    tickets.push_back(start(*one.scorer, *one.query));
  const auto until = give_up_at.value_or(Clock::time_point::max());
  std::vector<Encoding> encodings;
  std::optional<Error> error;
  while (encodings.size() < tickets.size() && !error) {
    auto result = take(tickets[encodings.size()]);
    if (result && *result) {
      encodings.push_back(std::get<Encoding>(**std::move(result)));
    } else if (result) {
      error = result->error();
    } else if (Clock::now() >= until) {
      error = Error(ErrorCode::kDeadlineExceeded, "the engine didn't answer in time");
    } else {
      collect(until);
    }
  }
  for (const Ticket ticket : tickets)
    cancel(ticket);
  if (error) return *error;
  return encodings;
}

}  // namespace rsd
