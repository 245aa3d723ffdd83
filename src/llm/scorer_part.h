// What a scorer puts into a pass of the LLM, and what comes out for it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

class LlamaScorer;

// The end of a prompt that is still to be encoded.
struct PromptRest {
  std::span<const TokenId> tokens;
  std::size_t position = 0;   // of the first of them
  std::size_t n_to_come = 0;  // tokens that the source has to put there before them
};

struct ScorerPart {
  LlamaScorer* scorer = nullptr;
  std::optional<EncodingQuery> query;  // nullopt: the prompt
  std::vector<TokenId> tokens;         // to encode
  std::size_t sequence = 0;
  std::size_t first_position = 0;  // of tokens[0], in the sequence
  std::size_t first_output = 0;    // index of the first token whose output is wanted

  // For a query: items in the lane's cache that are kept, and tokens of the prompt that had to be
  // encoded anew for it.
  std::size_t n_kept = 0;
  std::size_t n_again = 0;
  Encoding encoding;

  // For a prompt: what comes after `tokens`, and the output after its last token where it is known
  // already. Valid until the next pass.
  Prefill prefill;
  PromptRest rest;
  const std::vector<float>* known_output = nullptr;
};

}  // namespace rsd
