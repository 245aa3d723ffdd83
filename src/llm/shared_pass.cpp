#include "llm/shared_pass.h"

#include <algorithm>
#include <utility>

#include "llm/block_source.h"
#include "llm/llama_scorer.h"
#include "llm/share_of.h"

namespace rsd {

// The resident prompt goes with the first prompts that may begin like it. Where none does it goes
// before: so a prompt lies in the same cells, and rounds alike, whatever stood there before.
Result<std::vector<ScorerPart>> stage_prompts(LlamaEngine::State& state,
                                              std::span<const PromptPart> prompts,
                                              std::optional<Clock::time_point> give_up_at) {
  std::vector<LlamaScorer*> begin;  // those whose prompts begin now
  for (const PromptPart& prompt : prompts)
    if (!prompt.scorer->prompt_has_begun()) begin.push_back(prompt.scorer);
  const bool wanted = std::ranges::any_of(begin, &LlamaScorer::wants_resident);
  if (!wanted && !begin.empty()) state.room->release_resident();
  for (LlamaScorer* scorer : begin)
    scorer->forget_cache();
  std::vector<BlockSource::Piece> in_blocks;
  for (const PromptPart& prompt : prompts)
    if (BlockSource* blocks = prompt.scorer->in_blocks())
      in_blocks.push_back({.source = blocks, .max_tokens = prompt.max_tokens});
  state.context->set_deadline(give_up_at);
  auto done = BlockSource::go_on_together(state, in_blocks);
  std::vector<ScorerPart> parts;
  parts.reserve(prompts.size());
  for (std::size_t n = 0; done && n < prompts.size(); ++n) {
    auto part = prompts[n].scorer->stage_prompt(prompts[n].max_tokens);
    if (part) {
      parts.push_back(*std::move(part));
    } else {
      done = part.error();
    }
  }
  if (wanted) state.room->release_resident();
  if (done) return parts;
  for (LlamaScorer* scorer : begin)
    scorer->forget_cache();
  return done.error();
}

Result<void> encode_parts(LlamaEngine::State& state, std::span<ScorerPart> parts,
                          std::optional<Clock::time_point> give_up_at) {
  const auto start = Clock::now();
  std::vector<PartTokens> tokens;
  tokens.reserve(parts.size());
  std::size_t n_tokens = 0;
  for (const ScorerPart& part : parts) {
    tokens.push_back({.tokens = part.tokens,
                      .first_position = part.first_position,
                      .first_output = part.first_output,
                      .sequence = part.sequence});
    n_tokens += part.tokens.size();
  }
  const auto done = state.context->decode(
      tokens, give_up_at, [&](std::size_t part, std::size_t token, std::span<const float> output) {
        parts[part].scorer->take(parts[part], token, output);
      });
  const double ms = ms_between(start, Clock::now());
  for (ScorerPart& part : parts) {
    const double part_ms = ms * share_of(part.tokens.size(), n_tokens, parts.size());
    part.prefill.ms += part_ms;
    part.encoding.ms += part_ms;
    part.scorer->finish(part, done.ok());
  }
  return done;
}

}  // namespace rsd
