#include "llm/llama_scorer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "llm/block_source.h"
#include "llm/sequence_source.h"
#include "llm/shared_pass.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

std::unique_ptr<PromptSource> source_of(LlamaEngine::State& state, const Prompt& prompt) {
  if (prompt.blocks.empty()) return std::make_unique<SequenceSource>(state, prompt);
  return std::make_unique<BlockSource>(state, prompt);
}

// The deadline of a pass that holds all of them.
std::optional<Clock::time_point> earliest_deadline(std::span<const EncodingQuery> queries) {
  std::optional<Clock::time_point> earliest;
  for (const EncodingQuery& query : queries)
    if (query.give_up_at)
      earliest = std::min(*query.give_up_at, earliest.value_or(*query.give_up_at));
  return earliest;
}

}  // namespace

LlamaScorer::LlamaScorer(LlamaEngine::State& state, Prompt prompt,
                         std::optional<IdentifierHead> head)
    : state_(state),
      prompt_(std::move(prompt)),
      source_(source_of(state, prompt_)),
      lanes_(*state.cells, source_->end_position()),
      encoding_(state, *source_, lanes_),
      proposals_(prompt_, lanes_),
      head_(std::move(head)),
      first_row_(prompt_.identifiers.size()) {
  state.room->add(*this);
}

LlamaScorer::~LlamaScorer() {
  if (owns_cache_) LlamaScorer::lose_cache();
}

// The prompt stays where it is: the next one may begin alike.
void LlamaScorer::lose_cache() {
  if (encoding_.is_cached() && source_->is_of_use_to_others() && lanes_.truncate(0, 0))
    source_->leave(lanes_.give_away_first());
  forget_cache();
  state_.room->remove(*this);
  owns_cache_ = false;
}

void LlamaScorer::check_owner() const {
  RSD_CHECK(owns_cache_, "a scorer whose engine has opened another in its place");
}

std::size_t LlamaScorer::claimed_cells() const {
  return source_->n_cells() + lanes_.n_used() * n_items();
}

PromptSource::Others LlamaScorer::others() const {
  return {.n_cells = state_.room->claimed_cells() - claimed_cells()};
}

void LlamaScorer::read_row(std::span<const float> output, std::span<float> row) const {
  if (head_) return head_->logits(output, row);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = output[prompt_.identifiers[i].slot()];
}

Result<Prefill> LlamaScorer::prefill(std::optional<Clock::time_point> give_up_at) {
  check_owner();
  if (encoding_.prefill() && encoding_.is_cached()) return *encoding_.prefill();
  if (auto done = encode_prompt(give_up_at); !done) return done.error();
  return *encoding_.prefill();
}

void LlamaScorer::forget_proposals() {
  check_owner();
  if (!encoding_.is_cached() || lanes_.drop_items()) return;
  // The cache can't drop its end: the prompt is encoded anew here, where nobody is billed for it.
  (void)encode_prompt(std::nullopt);
}

// Afterwards the cache holds the prompt and none of its items.
Result<Prefill> LlamaScorer::encode_prompt(std::optional<Clock::time_point> give_up_at) {
  const PromptPart self{.scorer = this};
  auto parts = stage_prompts(state_, {&self, 1}, give_up_at);
  if (!parts) return parts.error();
  if (auto done = encode_parts(state_, *parts, give_up_at); !done) return done.error();
  return parts->front().prefill;
}

Result<ScorerPart> LlamaScorer::stage_prompt(std::size_t max_tokens) {
  check_owner();
  auto part = encoding_.stage(max_tokens, others());
  if (!part) return part;
  part->scorer = this;
  if (part->known_output) read_row(*part->known_output, first_row_);
  return part;
}

Result<ScorerPart> LlamaScorer::stage(const EncodingQuery& query,
                                      std::optional<Clock::time_point> give_up_at) {
  check_owner();
  RSD_CHECK(encoding_.prefill().has_value(), "encode before prefill");
  ScorerPart part = proposals_.begin(query, encoding_.is_cached());
  part.scorer = this;
  if (ProposalEncoding::is_done(part)) return part;
  if (!encoding_.is_cached() || !lanes_.truncate(query.lane, part.n_kept)) {
    const auto prompt = encode_prompt(give_up_at);
    if (!prompt) return prompt.error();
    part.n_again = prompt->n_tokens;
    part.encoding.ms = prompt->ms;
    part.n_kept = 0;
  }
  proposals_.stage(part);
  return part;
}

void LlamaScorer::take(ScorerPart& part, std::size_t token, std::span<const float> output) {
  if (part.query) {
    const std::size_t row = part.n_kept + token + 1 - part.query->rows.first;
    return read_row(output, part.encoding.rows.row(row));
  }
  read_row(output, first_row_);
  source_->keep(part.sequence, output);
}

// Part of a batch that broke off may be in the cache: it is dropped.
void LlamaScorer::finish(ScorerPart& part, bool done) {
  if (!part.query) return encoding_.finish(part, done);
  if (!proposals_.finish(part, done)) encoding_.spoil();
  if (part.query->rows.first == 0) std::ranges::copy(first_row_, part.encoding.rows.row(0).begin());
  part.encoding.n_tokens = part.tokens.size() + part.n_again;
}

// All lanes that were ever used count.
std::size_t LlamaScorer::n_lanes_for(std::span<const EncodingQuery> queries) const {
  std::size_t n_lanes = lanes_.n_used();
  for (const EncodingQuery& query : queries)
    n_lanes = std::max(n_lanes, query.lane + 1);
  return n_lanes;
}

// Can they be in the cache at once?
bool LlamaScorer::side_by_side(std::span<const EncodingQuery> queries) const {
  const std::size_t n_lanes = n_lanes_for(queries);
  if (n_lanes == 1) return true;
  const std::size_t n_new = n_lanes - lanes_.n_used();
  // Every other scorer may still need its first one.
  return n_lanes <= kMaxLanes &&
         lanes_.n_lacking(n_lanes) + state_.room->n_places() <=
             state_.cells->n_free_sequences() + 1 &&
         n_new * n_items() <= state_.room->free_cells();
}

Result<Encoding> LlamaScorer::encode(const EncodingQuery& query) {
  EncodingQuery alone = query;
  if (!side_by_side({&query, 1})) alone.lane = 0;
  auto encodings = encode_together({&alone, 1});
  if (!encodings) return encodings.error();
  return std::move(encodings->front());
}

Result<std::vector<Encoding>> LlamaScorer::encode_all(std::span<const EncodingQuery> queries) {
  std::set<std::size_t> lanes;
  for (const EncodingQuery& query : queries)
    RSD_CHECK(lanes.insert(query.lane).second, "two queries for one lane");
  return side_by_side(queries) ? encode_together(queries) : PositionScorer::encode_all(queries);
}

Result<std::vector<Encoding>> LlamaScorer::encode_together(std::span<const EncodingQuery> queries) {
  check_owner();
  const std::size_t n_new_lanes = n_lanes_for(queries) - lanes_.n_used();
  if (auto grown = state_.room->grow(n_new_lanes * n_items()); !grown) return grown.error();
  const auto give_up_at = earliest_deadline(queries);
  std::vector<ScorerPart> parts;
  parts.reserve(queries.size());
  for (const EncodingQuery& query : queries) {
    auto part = stage(query, give_up_at);
    if (!part) return part.error();
    parts.push_back(*std::move(part));
  }
  if (auto done = encode_parts(state_, parts, give_up_at); !done) return done.error();
  std::vector<Encoding> encodings;
  encodings.reserve(parts.size());
  for (ScorerPart& part : parts)
    encodings.push_back(std::move(part.encoding));
  return encodings;
}

}  // namespace rsd
