#include "remote/remote_scorer.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

// A pass has at most one question per lane of a request.
constexpr std::size_t kMostRemembered = 32;

}  // namespace

RemoteEngine::Scorer::Scorer(State& state, Prompt prompt)
    : state_(state), prompt_(std::move(prompt)) {
  state_.scorers.push_back(this);
}

RemoteEngine::Scorer::~Scorer() {
  state_.forget(*this);
  if (replica_) state_.dispatcher->unbind(*replica_);
}

Result<Prefill> RemoteEngine::Scorer::prefill(std::optional<Clock::time_point> /*give_up_at*/) {
  return Prefill{.n_tokens = prompt_.tokens.size()};
}

void RemoteEngine::Scorer::forget_proposals() {
  remembered_.clear();
  prompt_is_billed_ = false;
}

Result<Encoding> RemoteEngine::Scorer::encode(const EncodingQuery& query) {
  auto encodings = encode_all({&query, 1});
  if (!encodings) return encodings.error();
  return std::move(encodings->front());
}

Result<std::vector<Encoding>> RemoteEngine::Scorer::encode_all(
    std::span<const EncodingQuery> queries) {
  std::vector<State::Asked> asked;
  asked.reserve(queries.size());
  std::optional<Clock::time_point> give_up_at;
  for (const EncodingQuery& query : queries) {
    asked.push_back({.scorer = this, .query = &query});
    if (query.give_up_at)
      give_up_at = give_up_at ? std::min(*give_up_at, *query.give_up_at) : *query.give_up_at;
  }
  return state_.encode(asked, give_up_at);
}

RowQuestion RemoteEngine::Scorer::question(const EncodingQuery& query) const {
  RSD_CHECK(query.rows.size() > 0 && query.rows.end <= query.proposal.size() + 1 &&
                query.rows.end <= n_items(),
            "rows after the proposal");
  return {.prompt = prompt_.tokens,
          .identifiers = prompt_.identifiers,
          .proposal = query.proposal,
          .rows = query.rows,
          .cache_scope = prompt_.cache_scope};
}

std::span<const ItemId> RemoteEngine::Scorer::prefix_of(const EncodingQuery& query) {
  return query.proposal.first(query.rows.end - 1);
}

bool RemoteEngine::Scorer::is_of(const Remembered& remembered, const EncodingQuery& query) {
  return remembered.rows == query.rows && std::ranges::equal(remembered.prefix, prefix_of(query));
}

std::optional<Encoding> RemoteEngine::Scorer::recall(const EncodingQuery& query) {
  if (first_row_ && is_of(*first_row_, query)) {
    prompt_is_billed_ = true;
    return first_row_->encoding;
  }
  const auto found = std::ranges::find_if(
      remembered_, [&](const Remembered& entry) { return is_of(entry, query); });
  return found == remembered_.end() ? std::nullopt : std::optional(found->encoding);
}

Encoding RemoteEngine::Scorer::note_answer(const EncodingQuery& query,
                                           Dispatcher::Answered answered) {
  bind_to(*answered.replica);
  RowAnswer& answer = *answered.answer;
  count_reuse(answer);
  Encoding encoding{.rows = std::move(answer.rows), .ms = answered.ms};
  encoding.n_tokens = query.rows.end - std::max<std::size_t>(query.rows.first, 1);
  if (!prompt_is_billed_) encoding.n_tokens += prompt_.tokens.size();
  prompt_is_billed_ = true;
  remember(query, encoding);
  return encoding;
}

void RemoteEngine::Scorer::remember(const EncodingQuery& query, const Encoding& encoding) {
  const auto prefix = prefix_of(query);
  Remembered entry{
      .prefix = {prefix.begin(), prefix.end()}, .rows = query.rows, .encoding = encoding};
  if (query.rows == RowRange{0, 1}) {
    first_row_ = std::move(entry);
    return;
  }
  remembered_.push_back(std::move(entry));
  if (remembered_.size() > kMostRemembered) remembered_.pop_front();
}

void RemoteEngine::Scorer::bind_to(std::size_t replica) {
  if (replica_ == replica) return;
  if (replica_) state_.dispatcher->unbind(*replica_);
  state_.dispatcher->bind(replica);
  replica_ = replica;
}

// The request's first answer shows how much of the prompt was cached.
void RemoteEngine::Scorer::count_reuse(const RowAnswer& answer) {
  if (is_counted_) return;
  is_counted_ = true;
  const std::size_t known = std::min(answer.cached_tokens.value_or(0), prompt_.tokens.size());
  PromptReuse& reuse = state_.reuse;
  ++reuse.n_prompts;
  reuse.n_hits += known > 0 ? 1 : 0;
  reuse.tokens_reused += known;
  reuse.tokens_encoded += prompt_.tokens.size() - known;
}

}  // namespace rsd
