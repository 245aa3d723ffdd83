// What the server asks of whoever ranks.
//
// The server owns this interface; `rsd serve` implements it with a local LLM, the tests with
// made-up logits.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd::server {

// Of all prompts since the start.
struct PromptFigures {
  std::size_t n_prompts = 0;
  std::size_t n_hits = 0;  // of which a beginning was known
  std::size_t tokens_encoded = 0;
  std::size_t tokens_reused = 0;
};

class RankingEngine {
 public:
  virtual ~RankingEngine() = default;

  // From any thread.

  // The model's name, as clients see it.
  virtual std::string model_name() const = 0;
  // Tokens that prompt and ranking may take.
  virtual std::size_t context_size() const = 0;
  // Candidates that a prompt can have: the model's single-token identifiers.
  virtual std::size_t max_candidates(Task task) const = 0;
  // Makes its prompts; the same one as long as the engine lives.
  virtual const PromptBuilder& prompts() const = 0;
  // The policy of that name; the default one for an empty name. kInvalidArgument: there is none.
  virtual Result<std::shared_ptr<const RankingPolicy>> policy(const std::string& name) const = 0;

  // From one thread at a time.

  // May the prompt be opened beside those that are?
  virtual bool has_room(const Prompt& prompt) const = 0;
  virtual Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) = 0;
  // Serves the scorers that are open.
  virtual BatchScorer& llm() = 0;
  virtual PromptFigures prompt_figures() const = 0;
};

}  // namespace rsd::server
