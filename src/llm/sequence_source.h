// A prompt whose every token sees all before it. What it has in common with an earlier prompt, from
// its beginning on, is not encoded again.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "llm/llama_state.h"
#include "llm/prompt_source.h"

namespace rsd {

class SequenceSource final : public PromptSource {
 public:
  // Both outlive it.
  SequenceSource(LlamaEngine::State& state, const Prompt& prompt)
      : state_(state), prompt_(prompt) {}

  std::size_t n_cells() const override { return prompt_.tokens.size(); }
  std::size_t end_position() const override { return prompt_.tokens.size(); }
  std::size_t n_to_encode(const Others& others) const override;
  Result<StagedPrompt> stage(std::size_t sequence, const Others& others) override;
  void keep(std::size_t sequence, std::span<const float> output) override;
  bool wants_resident(const Others& others) const override;
  bool is_of_use_to_others() const override;
  void leave(std::size_t sequence) override;

 private:
  // A beginning of the prompt that need not be encoded.
  struct Reuse {
    enum class From { kNone, kResident, kKept };
    From from = From::kNone;
    std::size_t n_tokens = 0;
  };

  Reuse reusable(const Others& others) const;
  bool put_back(const Reuse& reuse, std::size_t sequence, StagedPrompt& staged);

  LlamaEngine::State& state_;
  const Prompt& prompt_;
};

}  // namespace rsd
