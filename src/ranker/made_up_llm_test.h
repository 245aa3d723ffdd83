// Rankers on made-up logits, for tests.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rsd/ranker/ranker.h"
#include "support/prompts.h"
#include "support/synthetic_scorer.h"

namespace rsd {

// The logits depend on the query's length and the number of candidates only.
class MadeUpLlm final : public LlmEngine {
 public:
  static constexpr std::size_t kContext = 4000;

  static SyntheticOptions options(const std::string& query, std::size_t n_items) {
    return {.seed = std::hash<std::string>()(query) % 1'000'000, .n_items = n_items};
  }

  std::string model_name() const override { return "made-up"; }
  std::size_t context_size() const noexcept override { return kContext; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override { return tokenizer_; }
  PromptReuse prompt_reuse() const noexcept override { return {}; }
  bool has_room(const Prompt& /*prompt*/) const noexcept override { return true; }
  void reserve_places(std::size_t /*n_places*/) override {}
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override {
    return std::unique_ptr<PositionScorer>(std::make_unique<SyntheticScorer>(
        options(query_in(tokenizer_->text_of(prompt.tokens)), prompt.identifiers.size())));
  }
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> /*give_up_at*/) override {
    return encode_one_by_one(parts);
  }
  Result<void> calibrate(CostModel& /*costs*/) override {
    ++n_calibrations;
    return {};
  }

  std::size_t n_calibrations = 0;
  std::size_t n_tokenised() const { return tokenizer_->n_calls; }

 private:
  std::shared_ptr<CountingTokenizer> tokenizer_ = std::make_shared<CountingTokenizer>();
};

inline Ranker made_up_ranker(std::size_t parallel = 1) {
  auto llm = std::make_unique<MadeUpLlm>();
  PromptBuilder prompts(llm->tokenizer(), PromptTemplates());
  return Ranker({.llm = std::move(llm), .prompts = std::move(prompts), .parallel = parallel});
}

inline MadeUpLlm& llm_of(Ranker& ranker) {
  return static_cast<MadeUpLlm&>(ranker.llm());
}
inline std::size_t n_tokenised(Ranker& ranker) {
  return llm_of(ranker).n_tokenised();
}
inline std::size_t n_calibrations(Ranker& ranker) {
  return llm_of(ranker).n_calibrations;
}

// What the LLM itself would say.
inline Ranking target_of(const std::string& query, std::size_t n_items) {
  return *Ranking::create(SyntheticScorer(MadeUpLlm::options(query, n_items)).target());
}

}  // namespace rsd
