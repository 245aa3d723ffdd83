// Passes of the LLM that several scorers share.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "llm/llama_state.h"
#include "llm/scorer_part.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

struct PromptPart {
  LlamaScorer* scorer = nullptr;
  std::size_t max_tokens = kWholePrompt;  // of the rest of its prompt
};

// Where prompts are in blocks, it takes passes of its own, which end at the deadline. After an
// error the prompts that begin now are not in the cache.
Result<std::vector<ScorerPart>> stage_prompts(LlamaEngine::State& state,
                                              std::span<const PromptPart> prompts,
                                              std::optional<Clock::time_point> give_up_at);

// One pass for all parts. LlamaScorer::finish is called for each, after an error too.
Result<void> encode_parts(LlamaEngine::State& state, std::span<ScorerPart> parts,
                          std::optional<Clock::time_point> give_up_at);

}  // namespace rsd
