#include "rsd/ranker/conditions.h"

#include <string>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/ranker/named_policies.h"

namespace rsd {
namespace {

std::string described(const WindowChoice& windows) {
  std::string text = windows.method ? std::string(to_string(*windows.method)) : "as needed";
  const auto add = [&](const char* name, const std::optional<std::size_t>& value) {
    if (value) text += std::string(", ") + name + " " + std::to_string(*value);
  };
  add("size", windows.size);
  add("stride", windows.stride);
  add("passes", windows.passes);
  add("pivot", windows.pivot);
  add("pool", windows.pool);
  add("advance", windows.advance);
  return text;
}

Result<void> add_policy(const EngineOptions& engine, const RankOptions& options,
                        Conditions& conditions) {
  conditions["policy"] = "";
  if (!uses_policy(options.decoder)) return {};
  const PolicyNames names{
      .names = one_or_none(options.policy.empty() ? engine.policy : options.policy),
      .agents = one_or_none(engine.agent),
      .places = engine.places};
  const auto policies = named_policies(names);
  if (!policies) return policies.error();
  conditions["policy"] = std::string(policies->front()->name());
  for (const auto& agent : agent_files(names))
    conditions["agent"] = identity_of(agent);
  return {};
}

}  // namespace

Result<Conditions> engine_conditions(const EngineOptions& options) {
  const auto model = model_file(options);
  if (!model) return model.error();
  Conditions conditions{{"rsd", RSD_VERSION},
                        {"ctx-size", std::to_string(options.context_size)},
                        {"model", identity_of(*model)}};
  for (const auto& lora : options.loras)
    conditions["lora"] += identity_of(lora.path) + " x " + std::to_string(lora.scale) + "; ";
  if (options.index) conditions["index"] = identity_of(options.index->info().path);
  for (const auto& file : options.prompt_templates)
    conditions["prompt-template"] += identity_of(file) + "; ";
  if (!options.remote) return conditions;
  RSD_CHECK(options.remote->served.has_value(), "a remote engine that was not asked");
  conditions["engine"] = options.remote->server == RemoteServer::kSglang ? "sglang" : "vllm";
  conditions["engine-model"] = options.remote->served->name;
  return conditions;
}

Result<Conditions> ranking_conditions(const EngineOptions& engine, const RankOptions& options) {
  auto conditions = engine_conditions(engine);
  if (!conditions) return conditions;
  (*conditions)["decoder"] = std::string(to_string(options.decoder));
  (*conditions)["draft"] = options.draft ? std::string(to_string(*options.draft)) : "";
  if (auto added = add_policy(engine, options, *conditions); !added) return added.error();
  if (const auto budget = budget_of_prompt(options))
    (*conditions)["budget"] = std::to_string(*budget);
  (*conditions)["windows"] = described(options.windows);
  (*conditions)["max-tokens-per-doc"] = std::to_string(options.max_text_tokens);
  if (options.long_texts == LongTexts::kRefuse) (*conditions)["long-texts"] = "refused";
  if (options.top_n) (*conditions)["top-n"] = std::to_string(*options.top_n);
  if (options.min_score) (*conditions)["min-score"] = std::to_string(*options.min_score);
  if (options.deadline) (*conditions)["deadline-ms"] = std::to_string(options.deadline->count());
  return conditions;
}

}  // namespace rsd
