// A prompt that no cache has seen.
#pragma once

#include <cstddef>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/llm_engine.h"

namespace rsd {

// About n_tokens tokens, at most half of the context, of a text that begins with the time: a prompt
// that some server remembers would cost too little to learn from.
std::vector<TokenId> unseen_prompt(const LlmEngine& llm, std::size_t n_tokens);

}  // namespace rsd
