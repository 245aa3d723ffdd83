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

struct BatchRun::Entry {
  std::size_t ticket;
  Clock::time_point due;
  Decoding decoding;
  std::unique_ptr<PositionScorer> scorer;
  DecodingRun run;
  std::optional<PassPart> part;                  // not encoded yet
  std::optional<PartQueue::Ticket> part_ticket;  // of the part, while a queue is encoding it
  PassCosts costs;                               // of the part
  Clock::time_point part_start;
  double list_ms = 0;             // the LLM time that earlier windows of its list have used
  Clock::time_point served_at;    // the time of its last pass, else of its arrival
  bool is_within_prompt = false;  // some of the prompt's pieces are encoded, others are not
  std::optional<Error> failure;
  bool ended = false;

  Entry(std::size_t caller_ticket, Decoding own, std::unique_ptr<PositionScorer> opened,
        RunOptions options)
      : ticket(caller_ticket),
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
    if (part_ticket) return;
    auto next = run.next();
    if (!next) return note(next.error());
    part = *next;
    ended = !part.has_value();
  }
  bool is_late(Clock::time_point now) const { return run.deadline() && now >= *run.deadline(); }
  bool is_passed_over(Clock::time_point now) const { return now >= served_at + kPatience; }
  // True if it gets a pass without the requests that have a deadline, so that no deadline aborts
  // that pass: it has no deadline itself and has waited for kPatience. If passes are short, each of
  // them advances it, so it gets one such pass, and those with a deadline get the next.
  bool needs_pass_without_deadlines(Clock::time_point now, bool short_passes) const {
    if (run.deadline()) return false;
    return short_passes ? is_passed_over(now) : due <= now;
  }
  Turn turn(Clock::time_point now) const {
    return {.waits = !is_passed_over(now),
            .level = turn_level(list_ms + run.llm_ms() + run.prompt_ms()),
            .due = due};
  }
};

// The parts of a pass, and its expected time.
class BatchRun::Pass {
 public:
  // Both may be null and nullopt.
  Pass(const CostModel* costs, std::optional<std::chrono::milliseconds> longest)
      : costs_(costs), longest_(longest) {}

  // Cuts the request's part to the tokens for which the pass has room. Returns false if it has no
  // room for a piece that is worth encoding.
  bool fit(Entry& entry) const;
  void add(const DecodingRun& run) {
    (run.encodes_prompt() ? n_prompt_ : n_encoded_) += run.n_tokens();
  }

 private:
  bool is_empty() const { return n_prompt_ + n_encoded_ == 0; }
  // 0 while the costs are unknown.
  double expected_ms(std::size_t n_prompt, std::size_t n_encoded) const {
    if (!costs_) return 0;
    return costs_->prefill_ms(n_prompt).value_or(0) + costs_->encoding_ms(n_encoded).value_or(0);
  }

  const CostModel* costs_;
  std::optional<std::chrono::milliseconds> longest_;
  std::size_t n_prompt_ = 0;  // tokens
  std::size_t n_encoded_ = 0;
};

bool BatchRun::Pass::fit(Entry& entry) const {
  constexpr std::size_t kLeast = 32;     // fewer tokens take hardly less time
  constexpr std::size_t kWorthIt = 128;  // in a pass with others' parts
  constexpr std::size_t kUnknown = 256;  // while the costs are unknown
  // More tokens at once are no faster, and costs learned from short prompts underestimate them.
  constexpr std::size_t kMost = 512;
  if (!longest_) return true;
  DecodingRun& run = entry.run;
  const bool is_prompt = run.encodes_prompt();
  if (is_prompt && run.n_tokens() > kMost) entry.part = run.cut(kMost);
  const std::size_t n_tokens = run.n_tokens();
  const double before_ms = expected_ms(n_prompt_, n_encoded_);
  const double with_it_ms =
      expected_ms(n_prompt_ + (is_prompt ? n_tokens : 0), n_encoded_ + (is_prompt ? 0 : n_tokens));
  // The later pieces of a prompt take longer than the passes that the costs were learned from.
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
  if (n_fit < n_tokens) entry.part = run.cut(n_fit);
  return true;
}

BatchRun::BatchRun(BatchScorer& llm, CostModel* costs, std::function<Clock::time_point()> now)
    : llm_(llm), costs_(costs), now_(std::move(now)) {}

BatchRun::~BatchRun() {
  for (const auto& entry : entries_)
    withdraw(*entry);
}

void BatchRun::add(std::size_t ticket, Decoding decoding, std::unique_ptr<PositionScorer> scorer,
                   const Timeliness& times) {
  entries_.push_back(std::make_unique<Entry>(
      ticket, std::move(decoding), std::move(scorer),
      RunOptions{.deadline = times.deadline, .costs = costs_, .now = now_}));
  Entry& added = *entries_.back();
  const auto now = now_();
  added.due = times.due(now);
  added.list_ms = times.llm_ms;
  added.served_at = times.waits_since.value_or(times.arrival.value_or(now));
}

bool BatchRun::cancel(std::size_t ticket) {
  return std::erase_if(entries_, [&](const auto& entry) {
           if (entry->ticket != ticket) return false;
           withdraw(*entry);
           return true;
         }) > 0;
}

// Cancels the request's part in the queue.
void BatchRun::withdraw(Entry& entry) {
  if (entry.part_ticket) llm_.queue()->cancel(*std::exchange(entry.part_ticket, std::nullopt));
}

std::vector<BatchRun::Finished> BatchRun::step() {
  ask_all();
  const bool some_ended = std::ranges::any_of(entries_, &Entry::ended);
  if (some_ended && !owes_pass()) {
    ++n_without_pass_;
    return take_finished();
  }
  n_without_pass_ = 0;
  if (llm_.queue()) {
    encode_concurrently(*llm_.queue());
  } else {
    const auto chosen = choose();
    report_left_out(chosen);
    if (!chosen.empty()) encode(chosen);
  }
  ask_all();
  return take_finished();
}

// Requests that finish without a pass, however many, must not delay the others' pass for ever.
bool BatchRun::owes_pass() const {
  constexpr std::size_t kMostWithoutPass = 8;
  return n_without_pass_ >= kMostWithoutPass;
}

// Policies take time: no request may miss its deadline for the policy of one that is due later, and
// finished requests are returned at once. Policies not called here are called in the next step.
void BatchRun::ask_all() {
  std::optional<Clock::time_point> earliest;
  for (Entry* entry : by_turn()) {
    if (earliest && entry->run.proposal_ms() > ms_between(now_(), *earliest)) continue;
    if (!entry->ended) entry->ask();
    if (entry->ended && !owes_pass()) return;
    if (entry->ended) continue;
    earliest = earlier(earliest, entry->run.deadline());
  }
}

// If passes are long, every waiting request enters the next one, so levels are not used. At most
// every other pass is for requests that were passed over, since there may be many of them.
std::vector<BatchRun::Entry*> BatchRun::by_turn() const {
  const auto now = now_();
  std::vector<std::pair<Turn, Entry*>> turns;
  turns.reserve(entries_.size());
  for (const auto& entry : entries_) {
    Turn turn = longest_pass_ ? entry->turn(now) : Turn{.due = entry->due};
    turn.waits = turn.waits || was_passed_over_;
    turns.emplace_back(turn, entry.get());
  }
  return sorted_by_turn(std::move(turns));
}

// Starts each part as soon as it is known. Each ends on its own.
void BatchRun::encode_concurrently(PartQueue& queue) {
  if (entries_.empty()) return;
  auto until = now_() + kLookInterval;
  for (const auto& entry : entries_) {
    until = *earlier(until, entry->run.deadline());
    if (entry->part_ticket || !entry->part) continue;
    entry->costs = {};
    entry->costs.add(entry->run);
    entry->part_start = now_();
    entry->part_ticket = queue.start(*entry->part);
  }
  for (const auto& ended : queue.wait(until)) {
    const auto found = std::ranges::find_if(
        entries_, [&](const auto& entry) { return entry->part_ticket == ended.ticket; });
    if (found == entries_.end()) continue;
    Entry& entry = **found;
    entry.part_ticket.reset();
    if (costs_ && ended.result) entry.costs.observe(*costs_, ms_of(*ended.result));
    entry.note(ended.result ? entry.run.absorb(*ended.result) : Result<void>(ended.result.error()));
  }
  withdraw_late();
}

void BatchRun::withdraw_late() {
  const auto now = now_();
  for (const auto& entry : entries_) {
    if (!entry->part_ticket || !entry->is_late(now)) continue;
    withdraw(*entry);
    if (costs_) entry->costs.observe_given_up(*costs_, ms_between(entry->part_start, now));
    entry->note(entry->run.give_up());
  }
}

// The requests of the next pass, by turn: as many as are expected to leave all of their deadlines
// intact and as the pass has room for.
std::vector<BatchRun::Entry*> BatchRun::choose() {
  std::vector<Entry*> waiting = by_turn();
  std::erase_if(waiting, [](const Entry* entry) { return !entry->part; });
  const auto now = now_();
  const bool short_passes = longest_pass_.has_value();
  if (!waiting.empty() && !(short_passes && was_passed_over_) &&
      waiting.front()->needs_pass_without_deadlines(now, short_passes))
    std::erase_if(waiting, [](const Entry* entry) { return entry->run.deadline(); });
  std::vector<Entry*> chosen;
  Pass pass(costs_, longest_pass_);
  double expected_ms = 0;
  std::optional<Clock::time_point> earliest;
  for (Entry* entry : waiting) {
    if (!pass.fit(*entry)) continue;
    const DecodingRun& next = entry->run;
    expected_ms += next.expected_ms();
    earliest = earlier(earliest, next.deadline());
    if (!chosen.empty() && earliest && expected_ms > ms_between(now, *earliest)) break;
    pass.add(next);
    chosen.push_back(entry);
  }
  was_passed_over_ = !was_passed_over_ && !chosen.empty() && chosen.front()->is_passed_over(now);
  return chosen;
}

void BatchRun::report_left_out(const std::vector<Entry*>& chosen) {
  if (!on_left_out_) return;
  for (const auto& entry : entries_) {
    if (entry->ended || !entry->run.deadline() ||
        std::ranges::find(chosen, entry.get()) != chosen.end())
      continue;
    // A policy that fails here fails again when the answer is due, and the error is reported then.
    if (const auto so_far = entry->run.so_far()) on_left_out_(entry->ticket, *so_far);
  }
}

void BatchRun::encode(const std::vector<Entry*>& chosen) {
  std::vector<PassPart> parts;
  parts.reserve(chosen.size());
  PassCosts pass;
  std::optional<Clock::time_point> earliest;
  // The later pieces of a prompt take longer than other tokens, so the costs don't learn from them.
  const bool is_typical = std::ranges::none_of(chosen, &Entry::is_within_prompt);
  const auto start = now_();
  for (Entry* entry : chosen) {
    earliest = earlier(earliest, entry->run.deadline());
    parts.push_back(*entry->part);
    pass.add(entry->run);
    entry->served_at = start;
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
    end_late(chosen);
  } else if (chosen.size() == 1) {
    chosen.front()->note(results.error());
  } else {  // one of them may have caused the error
    for (Entry* entry : chosen)
      encode({entry});
  }
}

void BatchRun::end_late(const std::vector<Entry*>& chosen) {
  const auto now = now_();
  for (Entry* entry : chosen)
    if (entry->is_late(now)) entry->note(entry->run.give_up());
}

std::vector<BatchRun::Finished> BatchRun::take_finished() {
  std::vector<Finished> finished;
  for (auto& entry : entries_) {
    if (!entry->ended) continue;
    auto outcome = entry->failure ? Result<Outcome>(*entry->failure) : entry->run.outcome();
    finished.push_back({.ticket = entry->ticket,
                        .decoding = std::move(entry->decoding),
                        .outcome = std::move(outcome)});
    entry.reset();  // its place in the LLM's cache is free
  }
  std::erase(entries_, nullptr);
  return finished;
}

}  // namespace rsd
