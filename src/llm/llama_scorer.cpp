#include "llm/llama_scorer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "llm/block_source.h"
#include "llm/sequence_source.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

llama_seq_id id_of(std::size_t sequence) {
  return static_cast<llama_seq_id>(sequence);
}

std::unique_ptr<PromptSource> source_of(LlamaEngine::State& state, const Prompt& prompt) {
  if (prompt.blocks.empty()) return std::make_unique<SequenceSource>(state, prompt);
  return std::make_unique<BlockSource>(state, prompt);
}

}  // namespace

LlamaEngine::Scorer::Scorer(State& state, Prompt prompt, std::optional<IdentifierHead> head)
    : state_(state),
      prompt_(std::move(prompt)),
      source_(source_of(state, prompt_)),
      head_(std::move(head)),
      first_row_(n_items()) {
  state.scorers.push_back(this);
}

LlamaEngine::Scorer::~Scorer() {
  if (owns_cache_) lose_cache();
}

// The prompt stays where it is: the next one may begin alike.
void LlamaEngine::Scorer::lose_cache() {
  if (prompt_cached_ && source_->is_of_use_to_others() && drop_behind(0, 0)) {
    source_->leave(lanes_.front()->sequence);
    lanes_.front().reset();
  }
  forget_cache();
  std::erase(state_.scorers, this);
  owns_cache_ = false;
}

void LlamaEngine::Scorer::forget_other_lanes() {
  for (std::size_t number = 1; number < lanes_.size(); ++number) {
    if (lanes_[number]) state_.release(lanes_[number]->sequence);
    lanes_[number].reset();
  }
}

void LlamaEngine::Scorer::forget_cache() {
  for (const auto& lane : lanes_)
    if (lane) state_.release(lane->sequence);
  lanes_.clear();
  prompt_cached_ = false;
  begun_.reset();
}

void LlamaEngine::Scorer::check_owner() const {
  RSD_CHECK(owns_cache_, "a scorer whose engine has opened another in its place");
}

std::size_t LlamaEngine::Scorer::claimed_cells() const {
  return source_->n_cells() + std::max<std::size_t>(lanes_.size(), 1) * n_items();
}

void LlamaEngine::Scorer::read_row(std::span<const float> output, std::span<float> row) const {
  if (head_) return head_->logits(output, row);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = output[prompt_.identifiers[i].slot()];
}

PromptSource::Others LlamaEngine::Scorer::others() const {
  return {.n_cells = state_.claimed_cells() - claimed_cells()};
}

std::size_t LlamaEngine::Scorer::n_prefill_tokens() const {
  return begun_ ? begun_->rest.tokens.size() : source_->n_to_encode(others());
}

// The lane, with the prompt in its cache.
LlamaEngine::Scorer::Lane& LlamaEngine::Scorer::lane(std::size_t number) {
  if (number >= lanes_.size()) lanes_.resize(number + 1);
  auto& lane = lanes_[number];
  if (lane) return *lane;
  const auto sequence = state_.sequences.take();
  RSD_CHECK(sequence.has_value(), "a sequence for every lane");
  if (number > 0) {
    llama_memory_seq_cp(llama_get_memory(state_.context.get()), id_of(lanes_.front()->sequence),
                        id_of(*sequence), 0, static_cast<llama_pos>(source_->end_position()));
  }
  return lane.emplace(Lane{.sequence = *sequence, .items = {}});
}

// Leaves the prompt and n_items items in the lane's cache, of those that are there. False, and the
// cache is as it was, when the model's cache can't drop its end.
bool LlamaEngine::Scorer::drop_behind(std::size_t number, std::size_t n_items) {
  Lane& dropped = lane(number);
  if (dropped.items.size() <= n_items) return true;
  if (!llama_memory_seq_rm(llama_get_memory(state_.context.get()), id_of(dropped.sequence),
                           static_cast<llama_pos>(source_->end_position() + n_items), -1)) {
    return false;
  }
  dropped.items.resize(n_items);
  return true;
}

void LlamaEngine::Scorer::forget_proposals() {
  check_owner();
  if (!prompt_cached_) return;
  for (std::size_t number = 0; number < lanes_.size(); ++number) {
    if (!lanes_[number] || drop_behind(number, 0)) continue;
    // The cache can't drop its end: the prompt is encoded anew here, where nobody is billed for it.
    (void)encode_prompt(std::nullopt);
    return;
  }
}

// The resident prompt goes with the first prompts that may begin like it. Where none does it goes
// before: so a prompt lies in the same cells, and rounds alike, whatever stood there before.
Result<std::vector<LlamaEngine::Scorer::Part>> LlamaEngine::Scorer::stage_prompts(
    State& state, std::span<const PromptPart> prompts,
    std::optional<Clock::time_point> give_up_at) {
  std::vector<Scorer*> begin;  // those whose prompts begin now
  for (const PromptPart& prompt : prompts)
    if (!prompt.scorer->begun_) begin.push_back(prompt.scorer);
  const bool wanted = std::ranges::any_of(begin, [](const Scorer* scorer) {
    return scorer->source_->wants_resident(scorer->others());
  });
  if (!wanted && !begin.empty()) state.release_resident();
  std::vector<BlockSource*> in_blocks;
  for (const Scorer* scorer : begin)
    if (BlockSource* blocks = scorer->source_->in_blocks()) in_blocks.push_back(blocks);
  state.give_up_at = give_up_at;
  auto done = BlockSource::encode_together(state, in_blocks);
  std::vector<Part> parts;
  parts.reserve(prompts.size());
  for (std::size_t n = 0; done && n < prompts.size(); ++n) {
    auto part = prompts[n].scorer->stage_prompt(prompts[n].max_tokens);
    if (part) {
      parts.push_back(*std::move(part));
    } else {
      done = part.error();
    }
  }
  if (wanted) state.release_resident();
  if (done) return parts;
  for (Scorer* scorer : begin)
    scorer->forget_cache();
  return done.error();
}

// Some tokens after those that the cache holds already; the output of the prompt's last one only.
Result<LlamaEngine::Scorer::Part> LlamaEngine::Scorer::stage_prompt(std::size_t max_tokens) {
  check_owner();
  Part part{.scorer = this};
  if (begun_) {
    part.sequence = lane(0).sequence;
    part.rest = begun_->rest;
  } else {
    auto begins = begin_prompt();
    if (!begins) return begins.error();
    part = *std::move(begins);
  }
  const auto now = part.rest.tokens.first(std::min(part.rest.tokens.size(), max_tokens));
  part.tokens.assign(now.begin(), now.end());
  part.first_position = part.rest.position;
  part.rest = {.tokens = part.rest.tokens.subspan(now.size()),
               .position = part.rest.position + now.size()};
  part.prefill.n_tokens += now.size();
  part.prefill.n_left = part.rest.tokens.size();
  part.first_output = now.size() - (part.prefill.n_left == 0 && !now.empty() ? 1 : 0);
  return part;
}

// Brings what is known of the prompt into the cache, and in blocks all but the tail.
Result<LlamaEngine::Scorer::Part> LlamaEngine::Scorer::begin_prompt() {
  const auto start = Clock::now();
  forget_cache();
  Part part{.scorer = this};
  part.sequence = lane(0).sequence;
  const auto staged = source_->stage(part.sequence, others());
  if (!staged) return staged.error();
  if (staged->output) read_row(*staged->output, first_row_);
  part.rest = {.tokens = staged->tokens, .position = staged->first_position};
  const BlockSource* blocks = source_->in_blocks();
  part.prefill = {.n_tokens = staged->n_encoded,
                  .n_reused = staged->n_reused,
                  .ms = ms_since(start) + (blocks ? blocks->encode_ms() : 0),
                  .candidates_reused = staged->candidates_reused};
  return part;
}

Result<LlamaEngine::Scorer::Part> LlamaEngine::Scorer::stage(
    const EncodingQuery& query, std::optional<Clock::time_point> give_up_at) {
  check_owner();
  RSD_CHECK(prefill_.has_value(), "encode before prefill");
  RSD_CHECK(query.rows.size() > 0 && query.rows.end <= query.proposal.size() + 1 &&
                query.rows.end <= n_items(),
            "rows of an encoding");
  Part part{.scorer = this, .query = query};
  part.encoding.rows = LogitMatrix(query.rows.size(), n_items());
  // Row j comes out at item j-1. Items before the first wanted row are encoded only where the cache
  // lacks them.
  const std::size_t first_item = std::max<std::size_t>(query.rows.first, 1) - 1;
  const std::size_t n_needed = query.rows.end - 1;
  if (prompt_cached_ && query.lane < lanes_.size() && lanes_[query.lane]) {
    const auto& cached = lanes_[query.lane]->items;
    const auto same = std::ranges::mismatch(cached, query.proposal).in1 - cached.begin();
    part.n_kept = std::min({static_cast<std::size_t>(same), first_item, n_needed});
  }
  if (n_needed <= part.n_kept) return part;
  if (!prompt_cached_ || !drop_behind(query.lane, part.n_kept)) {
    const auto prompt = encode_prompt(give_up_at);
    if (!prompt) return prompt.error();
    part.n_again = prompt->n_tokens;
    part.encoding.ms = prompt->ms;
    part.n_kept = 0;
  }
  part.sequence = lane(query.lane).sequence;
  part.first_position = source_->end_position() + part.n_kept;
  part.first_output = first_item - part.n_kept;
  part.tokens.reserve(n_needed - part.n_kept);
  for (std::size_t t = part.n_kept; t < n_needed; ++t)
    part.tokens.emplace_back(prompt_.identifiers[query.proposal[t].slot()].value());
  return part;
}

Result<void> LlamaEngine::Scorer::encode_parts(State& state, std::span<Part> parts,
                                               std::optional<Clock::time_point> give_up_at) {
  const auto start = Clock::now();
  std::vector<Pass> passes;
  passes.reserve(parts.size());
  std::size_t n_tokens = 0;
  for (const Part& part : parts) {
    passes.push_back({.tokens = part.tokens,
                      .first_position = part.first_position,
                      .first_output = part.first_output,
                      .sequence = part.sequence});
    n_tokens += part.tokens.size();
  }
  const auto done = state.decode(
      passes, give_up_at, [&](std::size_t pass, std::size_t token, std::span<const float> output) {
        parts[pass].scorer->take(parts[pass], token, output);
      });
  const double ms = ms_since(start);
  for (Part& part : parts) {
    const double share =
        n_tokens == 0 ? 1.0 / static_cast<double>(parts.size())
                      : static_cast<double>(part.tokens.size()) / static_cast<double>(n_tokens);
    part.prefill.ms += ms * share;
    part.encoding.ms += ms * share;
    part.scorer->finish(part, done.ok());
  }
  return done;
}

void LlamaEngine::Scorer::take(Part& part, std::size_t token, std::span<const float> output) {
  if (part.query) {
    const std::size_t row = part.n_kept + token + 1 - part.query->rows.first;
    return read_row(output, part.encoding.rows.row(row));
  }
  read_row(output, first_row_);
  source_->keep(part.sequence, output);
}

// Part of a batch that broke off may be in the cache: it is dropped.
void LlamaEngine::Scorer::finish(Part& part, bool done) {
  if (!part.query) return finish_prompt(part, done);
  if (!part.tokens.empty()) {
    const auto& proposal = part.query->proposal;
    auto& items = lane(part.query->lane).items;
    items.assign(proposal.begin(),
                 proposal.begin() + static_cast<std::ptrdiff_t>(part.query->rows.end - 1));
    if (!done && !drop_behind(part.query->lane, part.n_kept)) prompt_cached_ = false;
  }
  if (part.query->rows.first == 0) std::ranges::copy(first_row_, part.encoding.rows.row(0).begin());
  part.encoding.n_tokens = part.n_tokens();
}

// What earlier passes have encoded of it stays if the cache can drop what a later one left.
void LlamaEngine::Scorer::finish_prompt(const Part& part, bool done) {
  if (!done) {
    const bool stays =
        begun_ && state_.info.keeps_partial_cache &&
        llama_memory_seq_rm(llama_get_memory(state_.context.get()), id_of(part.sequence),
                            static_cast<llama_pos>(part.first_position), -1);
    if (!stays) forget_cache();
    return;
  }
  Prefill sum = part.prefill;
  if (begun_) {
    sum.n_tokens += begun_->sum.n_tokens;
    sum.n_reused += begun_->sum.n_reused;
    if (begun_->sum.candidates_reused) sum.candidates_reused = begun_->sum.candidates_reused;
    sum.ms += begun_->sum.ms;
  }
  if (sum.n_left > 0) {
    begun_ = {.sum = sum, .rest = part.rest};
    return;
  }
  begun_.reset();
  prompt_cached_ = true;
  if (prefill_) return;
  prefill_ = sum;
  ++state_.reuse.n_prompts;
  state_.reuse.n_hits += sum.n_reused > 0 ? 1 : 0;
  state_.reuse.tokens_encoded += sum.n_tokens;
  state_.reuse.tokens_reused += sum.n_reused;
}

// Afterwards the cache holds the prompt and none of its items.
Result<Prefill> LlamaEngine::Scorer::encode_prompt(std::optional<Clock::time_point> give_up_at) {
  const PromptPart self{.scorer = this};
  auto parts = stage_prompts(state_, {&self, 1}, give_up_at);
  if (!parts) return parts.error();
  if (auto done = encode_parts(state_, *parts, give_up_at); !done) return done.error();
  return parts->front().prefill;
}

Result<Prefill> LlamaEngine::Scorer::prefill(std::optional<Clock::time_point> give_up_at) {
  check_owner();
  if (prefill_ && prompt_cached_) return *prefill_;
  if (auto done = encode_prompt(give_up_at); !done) return done.error();
  return *prefill_;
}

// Of the first n_lanes, those without a sequence.
std::size_t LlamaEngine::Scorer::n_lanes_lacking(std::size_t n_lanes) const {
  const auto there =
      std::ranges::count_if(std::span(lanes_).first(std::min(n_lanes, lanes_.size())),
                            [](const std::optional<Lane>& lane) { return lane.has_value(); });
  return n_lanes - static_cast<std::size_t>(there);
}

// Can they be in the cache at once? All lanes that were ever used count.
bool LlamaEngine::Scorer::side_by_side(std::span<const EncodingQuery> queries) const {
  std::size_t n_lanes = std::max<std::size_t>(lanes_.size(), 1);
  const std::size_t n_before = n_lanes;
  for (const EncodingQuery& query : queries)
    n_lanes = std::max(n_lanes, query.lane + 1);
  if (n_lanes == 1) return true;
  // Every other scorer may still need its first one.
  return n_lanes <= kMaxLanes &&
         n_lanes_lacking(n_lanes) + state_.places.total() <= state_.sequences.n_free() + 1 &&
         (n_lanes - n_before) * n_items() <= state_.free_cells();
}

Result<Encoding> LlamaEngine::Scorer::encode(const EncodingQuery& query) {
  EncodingQuery alone = query;
  if (!side_by_side({&query, 1})) alone.lane = 0;
  auto encodings = encode_together({&alone, 1});
  if (!encodings) return encodings.error();
  return std::move(encodings->front());
}

Result<std::vector<Encoding>> LlamaEngine::Scorer::encode_all(
    std::span<const EncodingQuery> queries) {
  std::set<std::size_t> lanes;
  for (const EncodingQuery& query : queries)
    RSD_CHECK(lanes.insert(query.lane).second, "two queries for one lane");
  return side_by_side(queries) ? encode_together(queries) : PositionScorer::encode_all(queries);
}

Result<std::vector<Encoding>> LlamaEngine::Scorer::encode_together(
    std::span<const EncodingQuery> queries) {
  std::optional<Clock::time_point> give_up_at;
  for (const EncodingQuery& query : queries)
    if (query.give_up_at)
      give_up_at = std::min(*query.give_up_at, give_up_at.value_or(*query.give_up_at));
  check_owner();
  std::size_t n_lanes = std::max<std::size_t>(lanes_.size(), 1);
  const std::size_t n_before = n_lanes;
  for (const EncodingQuery& query : queries)
    n_lanes = std::max(n_lanes, query.lane + 1);
  if (auto grown = state_.grow_context((n_lanes - n_before) * n_items()); !grown)
    return grown.error();
  std::vector<Part> parts;
  parts.reserve(queries.size());
  for (const EncodingQuery& query : queries) {
    auto part = stage(query, give_up_at);
    if (!part) return part.error();
    parts.push_back(*std::move(part));
  }
  if (auto done = encode_parts(state_, parts, give_up_at); !done) return done.error();
  std::vector<Encoding> encodings;
  encodings.reserve(parts.size());
  for (Part& part : parts)
    encodings.push_back(std::move(part.encoding));
  return encodings;
}

}  // namespace rsd
