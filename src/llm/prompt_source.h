// How a prompt gets into the engine's cache: in one sequence (sequence_source.h) or in blocks
// (block_source.h). What comes after it, the verification of proposals, is the same for both
// (llama_scorer.h).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

class BlockSource;

// What is left of a prompt for the engine's pass when a source has put the rest into the cache.
struct StagedPrompt {
  std::span<const TokenId> tokens;  // empty: all is there, or more is to come
  std::size_t first_position = 0;   // of these, in the sequence
  std::size_t n_encoded = 0;        // tokens that went through the LLM while it was staged
  std::size_t n_reused = 0;         // of the prompt's, which were known before
  std::optional<std::size_t> candidates_reused = std::nullopt;  // Prefill::candidates_reused
  std::vector<float> relevance{};                               // Prefill::relevance
  double ms = 0;  // of passes before it was staged, such as BlockSource::go_on_together
  // Tokens that later calls of stage() are to put there before `tokens` can follow.
  std::size_t n_to_come = 0;
  // The LLM's output after the prompt, where all is there. Valid until the next pass.
  const std::vector<float>* output = nullptr;
};

// The source of one prompt, which it refers to. Not thread-safe.
class PromptSource {
 public:
  // What is in the engine's cache beside this prompt's own scorer.
  struct Others {
    std::size_t n_cells = 0;  // that other scorers claim
  };

  virtual ~PromptSource() = default;

  // Cells that the prompt takes of the engine's cache.
  virtual std::size_t n_cells() const = 0;
  // Where the answer's first token stands.
  virtual std::size_t end_position() const = 0;
  // Tokens that would have to go through the LLM now.
  virtual std::size_t n_to_encode(const Others& others) const = 0;

  // Before the first stage(), and before a prompt is staged again from its beginning.
  virtual void restart() {}
  // Puts what is known into the sequence, which is empty the first time and holds what earlier
  // calls have put there if more was to come. kDeadlineExceeded and kRuntime as of a pass: the
  // sequence is in no use then, and to be released.
  virtual Result<StagedPrompt> stage(std::size_t sequence, const Others& others) = 0;
  // The sequence holds just the prompt, and `output` came out after it.
  virtual void keep(std::size_t sequence, std::span<const float> output) = 0;

  // Is stage() going to use the resident prompt (CacheRoom)?
  virtual bool wants_resident(const Others& others) const = 0;
  // Can the next prompt use what a sequence holds of this one? Then leave() takes the sequence.
  virtual bool is_of_use_to_others() const = 0;
  virtual void leave(std::size_t sequence) = 0;

  // Where it is in blocks: those of several prompts can be encoded together.
  virtual BlockSource* in_blocks() noexcept { return nullptr; }
};

}  // namespace rsd
