// The server's engine: an LLM with its prompts and policies.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "decoder_options.h"
#include "engine_options.h"
#include "server/ranking_engine.h"

namespace rsd::cli {

class LlmRankingEngine final : public server::RankingEngine {
 public:
  // `name` is what clients see. kInvalidArgument: a policy or an agent that is not there.
  static Result<std::unique_ptr<LlmRankingEngine>> create(Engine engine, std::string name,
                                                          const DecoderOptions& options);

  std::string model_name() const override { return name_; }
  std::size_t context_size() const override { return engine_.llm().context_size(); }
  std::size_t max_candidates(Task task) const override {
    return std::min(engine_.prompts().identifiers(task).size(), engine_.llm().max_items());
  }
  const PromptBuilder& prompts() const override { return engine_.prompts(); }
  Result<std::shared_ptr<const RankingPolicy>> policy(const std::string& name) const override;

  bool has_room(const Prompt& prompt) const override { return engine_.llm().has_room(prompt); }
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override {
    return engine_.llm().open(std::move(prompt));
  }
  BatchScorer& llm() override { return engine_.llm(); }
  server::PromptFigures prompt_figures() const override;

  Engine& engine() noexcept { return engine_; }

 private:
  LlmRankingEngine(Engine engine, std::string name)
      : engine_(std::move(engine)), name_(std::move(name)) {}

  Engine engine_;
  std::string name_;
  std::shared_ptr<const RankingPolicy> default_policy_;
  std::shared_ptr<const RankingPolicy> agent_;  // null where there is none
};

}  // namespace rsd::cli
