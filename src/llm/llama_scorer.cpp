#include "llm/llama_scorer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

llama_seq_id id_of(std::size_t sequence) {
  return static_cast<llama_seq_id>(sequence);
}

}  // namespace

LlamaEngine::Scorer::Scorer(State& state, Prompt prompt, std::optional<IdentifierHead> head)
    : state_(state), prompt_(std::move(prompt)), head_(std::move(head)), first_row_(n_items()) {
  state.scorers.push_back(this);
}

LlamaEngine::Scorer::~Scorer() {
  if (owns_cache_) lose_cache();
}

// The prompt stays where it is: the next one may begin alike.
void LlamaEngine::Scorer::lose_cache() {
  if (prompt_cached_ && state_.prompts.keeps_any() && state_.reuses_beginnings &&
      drop_behind(0, 0)) {
    state_.release_resident();
    state_.resident = Resident{.tokens = prompt_.tokens,
                               .sequence = lanes_.front()->sequence,
                               .cache_scope = prompt_.cache_scope};
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
  return prompt_.tokens.size() + std::max<std::size_t>(lanes_.size(), 1) * n_items();
}

void LlamaEngine::Scorer::read_row(std::span<const float> output, std::span<float> row) const {
  if (head_) return head_->logits(output, row);
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = output[prompt_.identifiers[i].slot()];
}

// A beginning of the prompt that need not be encoded.
struct LlamaEngine::Scorer::Reuse {
  enum class Source { kNone, kResident, kKept };
  Source source = Source::kNone;
  std::size_t n_tokens = 0;
};

// The same prompt, or the longest beginning that is worth it.
LlamaEngine::Scorer::Reuse LlamaEngine::Scorer::reusable() const {
  if (!state_.prompts.keeps_any()) return {};
  const PromptCache::Match kept = state_.prompts.find(prompt_);
  // A copy comes back as a whole, however little of it is of use.
  const std::size_t n_resident_cells = state_.resident ? state_.resident->tokens.size() : 0;
  const std::size_t n_others = state_.claimed_cells() - claimed_cells() + n_resident_cells;
  const bool fits = n_others + kept.size <= llama_n_ctx(state_.context.get());
  if (kept.is_whole && fits) return {.source = Reuse::Source::kKept, .n_tokens = kept.n_tokens};
  if (!state_.reuses_beginnings) return {};
  // The last token is encoded in any case: its output is wanted.
  const std::size_t limit = prompt_.tokens.size() - 1;
  const std::size_t n_resident =
      state_.resident ? std::min(limit, state_.resident->n_common(prompt_)) : 0;
  const std::size_t n_kept = fits ? std::min(limit, kept.n_tokens) : 0;
  if (std::max(n_resident, n_kept) < kMinReusedTokens) return {};
  if (n_resident >= n_kept) return {.source = Reuse::Source::kResident, .n_tokens = n_resident};
  return {.source = Reuse::Source::kKept, .n_tokens = n_kept};
}

std::size_t LlamaEngine::Scorer::n_prefill_tokens() const {
  if (begun_) return begun_->n_left;
  return prompt_.tokens.size() - reusable().n_tokens;
}

// Puts the reused tokens into the empty sequence; for the same prompt, takes in its first row, too.
// False where that failed: the sequence is empty then.
bool LlamaEngine::Scorer::reuse(const Reuse& reuse, std::size_t sequence) {
  llama_memory_t memory = llama_get_memory(state_.context.get());
  const auto end = static_cast<llama_pos>(reuse.n_tokens);
  if (reuse.source == Reuse::Source::kNone) return true;
  if (reuse.source == Reuse::Source::kResident) {
    llama_memory_seq_cp(memory, id_of(state_.resident->sequence), id_of(sequence), 0, end);
    return true;
  }
  const std::vector<float>* output =
      state_.prompts.restore(prompt_, state_.context.get(), sequence);
  if (!output) return false;
  if (reuse.n_tokens == prompt_.tokens.size()) {
    read_row(*output, first_row_);
    return true;
  }
  if (llama_memory_seq_rm(memory, id_of(sequence), end, -1)) return true;
  llama_memory_seq_rm(memory, id_of(sequence), -1, -1);
  return false;
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
                        id_of(*sequence), 0, static_cast<llama_pos>(prompt_.tokens.size()));
  }
  return lane.emplace(Lane{.sequence = *sequence, .items = {}});
}

// Leaves the prompt and n_items items in the lane's cache, of those that are there. False, and the
// cache is as it was, when the model's cache can't drop its end.
bool LlamaEngine::Scorer::drop_behind(std::size_t number, std::size_t n_items) {
  Lane& dropped = lane(number);
  if (dropped.items.size() <= n_items) return true;
  if (!llama_memory_seq_rm(llama_get_memory(state_.context.get()), id_of(dropped.sequence),
                           static_cast<llama_pos>(prompt_.tokens.size() + n_items), -1)) {
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
std::vector<LlamaEngine::Scorer::Part> LlamaEngine::Scorer::stage_prompts(
    State& state, std::span<const PromptPart> prompts) {
  const auto begins = [](const PromptPart& prompt) { return !prompt.scorer->begun_; };
  const bool any_begins = std::ranges::any_of(prompts, begins);
  const bool wanted = std::ranges::any_of(prompts, [&](const PromptPart& prompt) {
    return begins(prompt) && prompt.scorer->reusable().source == Reuse::Source::kResident;
  });
  if (!wanted && any_begins) state.release_resident();
  std::vector<Part> parts;
  parts.reserve(prompts.size());
  for (const PromptPart& prompt : prompts)
    parts.push_back(prompt.scorer->stage_prompt(prompt.max_tokens));
  if (wanted) state.release_resident();
  return parts;
}

// Behind what is in the cache already, so many tokens; the output of the prompt's last one only.
LlamaEngine::Scorer::Part LlamaEngine::Scorer::stage_prompt(std::size_t max_tokens) {
  check_owner();
  Part part = begun_ ? Part{.scorer = this, .sequence = lane(0).sequence} : begin_prompt();
  part.first_position = begun_ ? prompt_.tokens.size() - begun_->n_left : part.prefill.n_reused;
  const auto rest = std::span(prompt_.tokens).subspan(part.first_position);
  const auto now = rest.first(std::min(rest.size(), max_tokens));
  part.tokens.assign(now.begin(), now.end());
  part.prefill.n_tokens = now.size();
  part.prefill.n_left = rest.size() - now.size();
  part.first_output = now.size() - (part.prefill.n_left == 0 && !now.empty() ? 1 : 0);
  return part;
}

LlamaEngine::Scorer::Part LlamaEngine::Scorer::begin_prompt() {
  const auto start = Clock::now();
  forget_cache();
  Part part{.scorer = this, .sequence = lane(0).sequence};
  Reuse known = reusable();
  if (!reuse(known, part.sequence)) known = {};
  part.prefill = {.n_reused = known.n_tokens, .ms = ms_since(start)};
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
  part.first_position = prompt_.tokens.size() + part.n_kept;
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
  state_.prompts.keep(prompt_, state_.context.get(), part.sequence, output);
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

// What earlier passes have encoded of it stays, where the cache can drop what a later one left.
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
    sum.n_tokens += begun_->n_tokens;
    sum.n_reused += begun_->n_reused;
    sum.ms += begun_->ms;
  }
  if (sum.n_left > 0) {
    begun_ = sum;
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
  auto parts = stage_prompts(state_, {&self, 1});
  if (auto done = encode_parts(state_, parts, give_up_at); !done) return done.error();
  return parts.front().prefill;
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
