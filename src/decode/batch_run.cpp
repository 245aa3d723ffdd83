#include "rsd/decode/batch_run.h"

#include <algorithm>
#include <utility>

#include "decode/pass_costs.h"
#include "decode/sorted_by_turn.h"

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
  double list_ms = 0;             // the LLM's time that its list has had before
  Clock::time_point served_at;    // when it was in a pass for the last time, or came
  bool is_within_prompt = false;  // pieces of it are encoded, and some are left
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
  void take(const PartResult& result) {
    const auto* prompt = std::get_if<Prefill>(&result);
    is_within_prompt = prompt && prompt->n_left > 0;
    note(run.absorb(result));
  }
  void ask() {
    if (ticket) return;
    auto next = run.next();
    if (!next) return note(next.error());
    part = *next;
    ended = !part.has_value();
  }
  bool is_late(Clock::time_point now) const { return run.deadline() && now >= *run.deadline(); }
  bool is_passed_over(Clock::time_point now) const { return now >= served_at + kPatience; }
  // Without a deadline, and has waited kPatience: it gets passes without requests that have one, so
  // that no deadline can abort them. Where passes are short each takes it further, so that it gets
  // one such pass, and those with a deadline have the next.
  bool must_go_undisturbed(Clock::time_point now, bool short_passes) const {
    if (run.deadline()) return false;
    return short_passes ? is_passed_over(now) : due <= now;
  }
  Turn turn(Clock::time_point now) const {
    return {.waits = !is_passed_over(now),
            .level = turn_level(list_ms + run.llm_ms() + run.prompt_ms()),
            .due = due};
  }
};

// What is in a pass, and what it is expected to take.
class BatchRun::Pass {
 public:
  // Both may be null and nullopt.
  Pass(const CostModel* costs, std::optional<std::chrono::milliseconds> longest)
      : costs_(costs), longest_(longest) {}

  // Cuts the request's part to what fits beside the others. False: not even a piece that is worth
  // it does.
  bool fit(Request& request) const;
  void add(const RequestRun& run) {
    (run.encodes_prompt() ? n_prompt_ : n_encoded_) += run.n_tokens();
  }

 private:
  bool is_empty() const { return n_prompt_ + n_encoded_ == 0; }
  // 0 where nothing is known of the costs.
  double expected_ms(std::size_t n_prompt, std::size_t n_encoded) const {
    if (!costs_) return 0;
    return costs_->prefill_ms(n_prompt).value_or(0) + costs_->encoding_ms(n_encoded).value_or(0);
  }

  const CostModel* costs_;
  std::optional<std::chrono::milliseconds> longest_;
  std::size_t n_prompt_ = 0;  // tokens
  std::size_t n_encoded_ = 0;
};

bool BatchRun::Pass::fit(Request& request) const {
  constexpr std::size_t kLeast = 32;     // fewer tokens take hardly less time
  constexpr std::size_t kWorthIt = 128;  // beside others' parts
  constexpr std::size_t kUnknown = 256;  // while nothing is known of the costs
  // More at once is no faster, and short prompts tell too little of what it takes.
  constexpr std::size_t kMost = 512;
  if (!longest_) return true;
  RequestRun& run = request.run;
  const bool is_prompt = run.encodes_prompt();
  if (is_prompt && run.n_tokens() > kMost) request.part = run.cut(kMost);
  const std::size_t n_tokens = run.n_tokens();
  const double before_ms = expected_ms(n_prompt_, n_encoded_);
  const double with_it_ms =
      expected_ms(n_prompt_ + (is_prompt ? n_tokens : 0), n_encoded_ + (is_prompt ? 0 : n_tokens));
  // A prompt's later pieces take longer than those of others that the costs were learned from.
  const double ms = std::max(with_it_ms - before_ms, is_prompt ? run.expected_ms() : 0);
  const double left_ms = static_cast<double>(longest_->count()) - before_ms;
  const bool is_known = ms > 0;
  if (n_tokens <= kLeast || (is_known && ms <= left_ms)) return is_empty() || ms <= left_ms;
  const double share = is_known ? std::max(left_ms, 0.0) / ms : 1;
  std::size_t n_fit = is_known ? static_cast<std::size_t>(share * static_cast<double>(n_tokens))
                               : kUnknown - std::min(kUnknown, n_prompt_ + n_encoded_);
  n_fit -= n_fit % kLeast;
  if (is_empty()) n_fit = std::max(n_fit, kLeast);
  if (n_fit < (is_empty() ? kLeast : kWorthIt)) return false;
  if (n_fit < n_tokens) request.part = run.cut(n_fit);
  return true;
}

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
  Request& added = *requests_.back();
  const auto now = now_();
  added.due = times.due(now);
  added.list_ms = times.llm_ms;
  added.served_at = times.waits_since.value_or(times.arrival.value_or(now));
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
  for (Request* request : by_turn()) {
    if (earliest && request->run.proposal_ms() > ms_between(now_(), *earliest)) continue;
    if (!request->ended) request->ask();
    if (request->ended && !owes_pass()) return;
    if (request->ended) continue;
    earliest = earlier(earliest, request->run.deadline());
  }
}

// Where passes are long, whatever waits is in the next one, and levels are of no use. Every other
// pass at most is for those who were passed over: there may be many of them.
std::vector<BatchRun::Request*> BatchRun::by_turn() const {
  const auto now = now_();
  std::vector<std::pair<Turn, Request*>> turns;
  turns.reserve(requests_.size());
  for (const auto& request : requests_) {
    Turn turn = longest_pass_ ? request->turn(now) : Turn{.due = request->due};
    turn.waits = turn.waits || was_passed_over_;
    turns.emplace_back(turn, request.get());
  }
  return sorted_by_turn(std::move(turns));
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
    if (costs_) request->costs.observe_given_up(*costs_, ms_between(request->part_start, now));
    request->note(request->run.give_up());
  }
}

// The requests of the next pass, by turn: as many as are expected to leave all of their deadlines
// intact and as the pass has room for.
std::vector<BatchRun::Request*> BatchRun::choose() {
  std::vector<Request*> waiting = by_turn();
  std::erase_if(waiting, [](const Request* request) { return !request->part; });
  const auto now = now_();
  const bool short_passes = longest_pass_.has_value();
  if (!waiting.empty() && !(short_passes && was_passed_over_) &&
      waiting.front()->must_go_undisturbed(now, short_passes))
    std::erase_if(waiting, [](const Request* request) { return request->run.deadline(); });
  std::vector<Request*> chosen;
  Pass pass(costs_, longest_pass_);
  double expected_ms = 0;
  std::optional<Clock::time_point> earliest;
  for (Request* request : waiting) {
    if (!pass.fit(*request)) continue;
    const RequestRun& next = request->run;
    expected_ms += next.expected_ms();
    earliest = earlier(earliest, next.deadline());
    if (!chosen.empty() && earliest && expected_ms > ms_between(now, *earliest)) break;
    pass.add(next);
    chosen.push_back(request);
  }
  was_passed_over_ = !was_passed_over_ && !chosen.empty() && chosen.front()->is_passed_over(now);
  return chosen;
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
  // The later pieces of a prompt take longer than other tokens, and tell nothing of these.
  const bool is_typical = std::ranges::none_of(chosen, &Request::is_within_prompt);
  const auto start = now_();
  for (Request* request : chosen) {
    earliest = earlier(earliest, request->run.deadline());
    parts.push_back(*request->part);
    pass.add(request->run);
    request->served_at = start;
  }
  auto results = llm_.encode_parts(parts, earliest);
  const double ms = ms_between(start, now_());
  if (results) {
    if (costs_ && is_typical) pass.observe(*costs_, ms);
    for (std::size_t n = 0; n < chosen.size(); ++n)
      chosen[n]->take((*results)[n]);
  } else if (results.error().code() == ErrorCode::kDeadlineExceeded) {
    if (costs_ && is_typical) pass.observe_given_up(*costs_, ms);
    if (costs_ && !is_typical) costs_->note_vain_try(CostModel::Kind::kPrefill);
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
