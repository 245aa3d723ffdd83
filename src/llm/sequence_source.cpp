#include "llm/sequence_source.h"

#include <algorithm>

#include "llm/prompt_cache.h"

namespace rsd {

// The same prompt, or the longest beginning that is worth it.
SequenceSource::Reuse SequenceSource::reusable(const Others& others) const {
  if (!state_.prompts.keeps_any()) return {};
  const PromptCache::Match kept = state_.prompts.find(prompt_);
  // A copy comes back as a whole, however little of it is of use.
  const auto& resident = state_.room->resident();
  const std::size_t n_resident_cells = resident ? resident->tokens.size() : 0;
  const bool fits = others.n_cells + n_resident_cells + kept.size <= state_.cells->n_cells();
  if (kept.is_whole && fits) return {.from = Reuse::From::kKept, .n_tokens = kept.n_tokens};
  if (!state_.reuses_beginnings) return {};
  // The last token is encoded in any case: its output is wanted.
  const std::size_t limit = prompt_.tokens.size() - 1;
  const std::size_t n_resident = resident ? std::min(limit, resident->n_common(prompt_)) : 0;
  const std::size_t n_kept = fits ? std::min(limit, kept.n_tokens) : 0;
  if (std::max(n_resident, n_kept) < kMinReusedTokens) return {};
  if (n_resident >= n_kept) return {.from = Reuse::From::kResident, .n_tokens = n_resident};
  return {.from = Reuse::From::kKept, .n_tokens = n_kept};
}

std::size_t SequenceSource::n_to_encode(const Others& others) const {
  return prompt_.tokens.size() - reusable(others).n_tokens;
}

bool SequenceSource::wants_resident(const Others& others) const {
  return reusable(others).from == Reuse::From::kResident;
}

// Puts the reused tokens into the empty sequence; for the same prompt, finds its output, too. False
// where that failed: the sequence is empty then.
bool SequenceSource::put_back(const Reuse& reuse, std::size_t sequence, StagedPrompt& staged) {
  if (reuse.from == Reuse::From::kNone) return true;
  if (reuse.from == Reuse::From::kResident) {
    state_.cells->share(state_.room->resident()->sequence, sequence, reuse.n_tokens);
    return true;
  }
  const std::vector<float>* output =
      state_.prompts.restore(prompt_, state_.context->get(), sequence);
  if (!output) return false;
  if (reuse.n_tokens == prompt_.tokens.size()) {
    staged.output = output;
    return true;
  }
  if (state_.cells->truncate(sequence, reuse.n_tokens)) return true;
  state_.cells->clear(sequence);
  return false;
}

Result<StagedPrompt> SequenceSource::stage(std::size_t sequence, const Others& others) {
  StagedPrompt staged;
  Reuse known = reusable(others);
  if (!put_back(known, sequence, staged)) known = {};
  staged.tokens = std::span(prompt_.tokens).subspan(known.n_tokens);
  staged.first_position = known.n_tokens;
  staged.n_reused = known.n_tokens;
  return staged;
}

void SequenceSource::keep(std::size_t sequence, std::span<const float> output) {
  state_.prompts.keep(prompt_, state_.context->get(), sequence, output);
}

bool SequenceSource::is_of_use_to_others() const {
  return state_.prompts.keeps_any() && state_.reuses_beginnings;
}

void SequenceSource::leave(std::size_t sequence) {
  state_.room->leave(
      {.tokens = prompt_.tokens, .sequence = sequence, .cache_scope = prompt_.cache_scope});
}

}  // namespace rsd
