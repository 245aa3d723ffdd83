#include "rsd/decode/batch_run.h"

#include <algorithm>
#include <utility>

#include "decode/pass_costs.h"

namespace rsd {
namespace {

using Deadline = std::optional<Clock::time_point>;

// The longest wait for concurrent parts before other requests can be added.
constexpr std::chrono::milliseconds kLookInterval{10};

Deadline earlier(const Deadline& a, const Deadline& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

struct BatchRun::Request {
  std::size_t name;
  Clock::time_point due;
  Decoding decoding;
  std::unique_ptr<PositionScorer> scorer;
  RequestRun run;
  std::optional<PassPart> part;             // not encoded yet
  std::optional<PartQueue::Ticket> ticket;  // of the part, while a queue is encoding it
  PassCosts costs;                          // of the part
  Clock::time_point part_start;
  std::optional<Error> failure;
  bool ended = false;

  Request(std::size_t number, Decoding own, std::unique_ptr<PositionScorer> opened,
          RunOptions options)
      : name(number),
        due(Clock::time_point::max()),
        decoding(std::move(own)),
        scorer(std::move(opened)),
        run(decoding, *scorer, std::move(options)) {}

  // The part has ended.
  void note(const Result<void>& done) {
    part.reset();
    if (!done) failure = done.error();
    if (failure) ended = true;
  }
  void ask() {
    if (ticket) return;
    auto next = run.next();
    if (!next) return note(next.error());
    part = *next;
    ended = !part.has_value();
  }
  bool is_late(Clock::time_point now) const { return run.deadline() && now >= *run.deadline(); }
};

BatchRun::BatchRun(BatchScorer& llm, CostModel* costs, std::function<Clock::time_point()> now)
    : llm_(llm), costs_(costs), now_(std::move(now)) {}

BatchRun::~BatchRun() {
  for (const auto& request : requests_)
    withdraw(*request);
}

void BatchRun::add(std::size_t ticket, Decoding decoding, std::unique_ptr<PositionScorer> scorer,
                   const Timeliness& times) {
  requests_.push_back(std::make_unique<Request>(
      ticket, std::move(decoding), std::move(scorer),
      RunOptions{.deadline = times.deadline, .costs = costs_, .now = now_}));
  requests_.back()->due = times.due(now_());
}

bool BatchRun::cancel(std::size_t ticket) {
  return std::erase_if(requests_, [&](const auto& request) {
           if (request->name != ticket) return false;
           withdraw(*request);
           return true;
         }) > 0;
}

// Cancels the request's part in the queue.
void BatchRun::withdraw(Request& request) {
  if (request.ticket) llm_.queue()->cancel(*std::exchange(request.ticket, std::nullopt));
}

std::vector<BatchRun::Finished> BatchRun::step() {
  ask_all();
  const bool some_ended = std::ranges::any_of(requests_, &Request::ended);
  if (some_ended && !owes_pass()) {
    ++n_without_pass_;
    return take_finished();
  }
  n_without_pass_ = 0;
  if (llm_.queue()) {
    go_on_side_by_side(*llm_.queue());
  } else {
    const auto chosen = choose();
    tell_left_out(chosen);
    if (!chosen.empty()) encode(chosen);
  }
  ask_all();
  return take_finished();
}

// A stream of requests that finish without a pass must not delay the others' pass for ever.
bool BatchRun::owes_pass() const {
  constexpr std::size_t kMostWithoutPass = 8;
  return n_without_pass_ >= kMostWithoutPass;
}

// Policies take time: no request may miss its deadline for the policy of one that is due later, and
// finished requests are returned at once. Policies not called here are called in the next step.
void BatchRun::ask_all() {
  std::optional<Clock::time_point> earliest;
  for (Request* request : by_due()) {
    if (earliest && request->run.proposal_ms() > ms_between(now_(), *earliest)) continue;
    if (!request->ended) request->ask();
    if (request->ended && !owes_pass()) return;
    if (request->ended) continue;
    earliest = earlier(earliest, request->run.deadline());
  }
}

std::vector<BatchRun::Request*> BatchRun::by_due() const {
  std::vector<Request*> requests;
  requests.reserve(requests_.size());
  for (const auto& request : requests_)
    requests.push_back(request.get());
  std::ranges::stable_sort(requests, {}, &Request::due);
  return requests;
}

// Starts each part as soon as it is known; each ends in its own time.
void BatchRun::go_on_side_by_side(PartQueue& queue) {
  if (requests_.empty()) return;
  auto until = now_() + kLookInterval;
  for (const auto& request : requests_) {
    until = *earlier(until, request->run.deadline());
    if (request->ticket || !request->part) continue;
    request->costs = {};
    request->costs.add(request->run);
    request->part_start = now_();
    request->ticket = queue.start(*request->part);
  }
  for (const auto& ended : queue.wait(until)) {
    const auto found = std::ranges::find_if(
        requests_, [&](const auto& request) { return request->ticket == ended.ticket; });
    if (found == requests_.end()) continue;
    Request& request = **found;
    request.ticket.reset();
    if (costs_ && ended.result) request.costs.observe(*costs_, ms_of(*ended.result));
    request.note(ended.result ? request.run.absorb(*ended.result)
                              : Result<void>(ended.result.error()));
  }
  withdraw_what_is_late();
}

void BatchRun::withdraw_what_is_late() {
  const auto now = now_();
  for (const auto& request : requests_) {
    if (!request->ticket || !request->is_late(now)) continue;
    withdraw(*request);
    const std::chrono::duration<double, std::milli> spent = now - request->part_start;
    if (costs_) request->costs.observe_given_up(*costs_, spent.count());
    request->note(request->run.give_up());
  }
}

// The requests of the next pass, in the order in which they are due, as many as are expected to
// leave all of their deadlines intact.
std::vector<BatchRun::Request*> BatchRun::choose() {
  std::vector<Request*> waiting = by_due();
  std::erase_if(waiting, [](const Request* request) { return !request->part; });
  const auto now = now_();
  // A request without a deadline that has waited kPatience gets passes without requests that have
  // one, so that no deadline can abort them.
  if (!waiting.empty() && !waiting.front()->run.deadline() && waiting.front()->due <= now)
    std::erase_if(waiting, [](const Request* request) { return request->run.deadline(); });
  double expected_ms = 0;
  std::optional<Clock::time_point> earliest;
  std::size_t n_chosen = 0;
  for (; n_chosen < waiting.size(); ++n_chosen) {
    const RequestRun& next = waiting[n_chosen]->run;
    expected_ms += next.expected_ms();
    earliest = earlier(earliest, next.deadline());
    if (n_chosen > 0 && earliest &&
        expected_ms > std::chrono::duration<double, std::milli>(*earliest - now).count()) {
      break;
    }
  }
  waiting.resize(n_chosen);
  return waiting;
}

void BatchRun::tell_left_out(const std::vector<Request*>& chosen) {
  if (!on_left_out_) return;
  for (const auto& request : requests_) {
    if (request->ended || !request->run.deadline() ||
        std::ranges::find(chosen, request.get()) != chosen.end())
      continue;
    // A policy that fails here fails again when the answer is due, and the error is reported then.
    if (const auto so_far = request->run.so_far()) on_left_out_(request->name, *so_far);
  }
}

void BatchRun::encode(const std::vector<Request*>& chosen) {
  std::vector<PassPart> parts;
  parts.reserve(chosen.size());
  PassCosts pass;
  std::optional<Clock::time_point> earliest;
  for (const Request* request : chosen) {
    earliest = earlier(earliest, request->run.deadline());
    parts.push_back(*request->part);
    pass.add(request->run);
  }
  const auto start = now_();
  auto results = llm_.encode_parts(parts, earliest);
  const double ms = std::chrono::duration<double, std::milli>(now_() - start).count();
  if (results) {
    if (costs_) pass.observe(*costs_, ms);
    for (std::size_t n = 0; n < chosen.size(); ++n)
      chosen[n]->note(chosen[n]->run.absorb((*results)[n]));
  } else if (results.error().code() == ErrorCode::kDeadlineExceeded) {
    if (costs_) pass.observe_given_up(*costs_, ms);
    give_up_what_is_late(chosen);
  } else if (chosen.size() == 1) {
    chosen.front()->note(results.error());
  } else {  // one of them may have caused the error
    for (Request* request : chosen)
      encode({request});
  }
}

void BatchRun::give_up_what_is_late(const std::vector<Request*>& chosen) {
  const auto now = now_();
  for (Request* request : chosen)
    if (request->is_late(now)) request->note(request->run.give_up());
}

std::vector<BatchRun::Finished> BatchRun::take_finished() {
  std::vector<Finished> finished;
  for (auto& request : requests_) {
    if (!request->ended) continue;
    auto outcome = request->failure ? Result<Outcome>(*request->failure) : request->run.outcome();
    finished.push_back({.ticket = request->name,
                        .decoding = std::move(request->decoding),
                        .outcome = std::move(outcome)});
    request.reset();  // its place in the LLM's cache is free
  }
  std::erase(requests_, nullptr);
  return finished;
}

}  // namespace rsd
