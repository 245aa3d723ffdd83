#include "llm/prompt_encoding.h"

#include <algorithm>

namespace rsd {

std::size_t PromptEncoding::n_to_encode(const PromptSource::Others& others) const {
  const bool is_staged = begun_ && begun_->rest.n_to_come == 0;
  return is_staged ? begun_->rest.tokens.size() : source_.n_to_encode(others);
}

void PromptEncoding::forget() {
  lanes_.forget_all();
  is_cached_ = false;
  begun_.reset();
  source_.restart();
}

Result<ScorerPart> PromptEncoding::stage(std::size_t max_tokens,
                                         const PromptSource::Others& others) {
  ScorerPart part;
  if (begun_ && begun_->rest.n_to_come == 0) {
    part.sequence = lanes_.sequence(0);
    part.rest = begun_->rest;
  } else {
    auto staged = stage_source(others);
    if (!staged) return staged.error();
    part = *std::move(staged);
  }
  const std::size_t n_more = max_tokens - std::min(max_tokens, part.prefill.n_tokens);
  const auto now = part.rest.tokens.first(std::min(part.rest.tokens.size(), n_more));
  part.tokens.assign(now.begin(), now.end());
  part.first_position = part.rest.position;
  part.rest.tokens = part.rest.tokens.subspan(now.size());
  part.rest.position += now.size();
  part.prefill.n_tokens += now.size();
  part.prefill.n_left = part.rest.tokens.size() + part.rest.n_to_come;
  part.first_output = now.size() - (part.prefill.n_left == 0 && !now.empty() ? 1 : 0);
  return part;
}

// Brings what is known of the prompt into the cache, and of one in blocks what is made of it so
// far.
Result<ScorerPart> PromptEncoding::stage_source(const PromptSource::Others& others) {
  const auto start = Clock::now();
  ScorerPart part;
  part.sequence = lanes_.sequence(0);
  const auto staged = source_.stage(part.sequence, others);
  if (!staged) return staged.error();
  part.known_output = staged->output;
  part.rest = {
      .tokens = staged->tokens, .position = staged->first_position, .n_to_come = staged->n_to_come};
  part.prefill = {.n_tokens = staged->n_encoded,
                  .n_reused = staged->n_reused,
                  .ms = ms_between(start, Clock::now()) + staged->ms,
                  .candidates_reused = staged->candidates_reused,
                  .relevance = staged->relevance};
  return part;
}

// What earlier passes have encoded of it stays if the cache can drop what a later one left.
void PromptEncoding::finish(const ScorerPart& part, bool done) {
  if (!done) {
    const bool stays = begun_ && state_.info.keeps_partial_cache &&
                       state_.cells->truncate(part.sequence, part.first_position);
    if (!stays) forget();
    return;
  }
  Prefill sum = part.prefill;
  if (begun_) {
    sum.n_tokens += begun_->sum.n_tokens;
    sum.n_reused += begun_->sum.n_reused;
    if (!sum.candidates_reused) sum.candidates_reused = begun_->sum.candidates_reused;
    if (sum.relevance.empty()) sum.relevance = begun_->sum.relevance;
    sum.ms += begun_->sum.ms;
  }
  if (sum.n_left > 0) {
    begun_ = {.sum = sum, .rest = part.rest};
    return;
  }
  begun_.reset();
  is_cached_ = true;
  if (prefill_) return;
  prefill_ = sum;
  count(sum);
}

void PromptEncoding::count(const Prefill& prefill) {
  ++state_.reuse.n_prompts;
  state_.reuse.n_hits += prefill.n_reused > 0 ? 1 : 0;
  state_.reuse.tokens_encoded += prefill.n_tokens;
  state_.reuse.tokens_reused += prefill.n_reused;
}

}  // namespace rsd
