#include "llm_ranking_engine.h"

#include <utility>

#include "rsd/agent/agent_policy.h"

namespace rsd::cli {

Result<std::unique_ptr<LlmRankingEngine>> LlmRankingEngine::create(Engine engine, std::string name,
                                                                   const DecoderOptions& options) {
  std::unique_ptr<LlmRankingEngine> created(
      new LlmRankingEngine(std::move(engine), std::move(name)));
  const auto agents = listed(options.agent);
  const auto policies = named_policies(listed(options.policy), agents);
  if (!policies) return policies.error();
  created->default_policy_ = policies->front();
  if (!agent_files({std::string(kAgentPolicy)}, agents).empty()) {
    const auto agent = named_policies({std::string(kAgentPolicy)}, agents);
    if (!agent) return agent.error();
    created->agent_ = agent->front();
  }
  return created;
}

Result<std::shared_ptr<const RankingPolicy>> LlmRankingEngine::policy(
    const std::string& name) const {
  if (name.empty()) return default_policy_;
  if (name != kAgentPolicy) return policy_by_name(name);
  if (!agent_) return Error(ErrorCode::kInvalidArgument, "policy agent: this server has no agent");
  return agent_;
}

server::PromptFigures LlmRankingEngine::prompt_figures() const {
  const PromptReuse reuse = engine_.llm().prompt_reuse();
  return {.n_prompts = reuse.n_prompts,
          .n_hits = reuse.n_hits,
          .tokens_encoded = reuse.tokens_encoded,
          .tokens_reused = reuse.tokens_reused};
}

}  // namespace rsd::cli
