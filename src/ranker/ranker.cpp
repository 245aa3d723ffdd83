#include "rsd/ranker/ranker.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "ranker/prepared_plan.h"
#include "ranker/ranker_state.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/core/check.h"
#include "rsd/core/duration.h"
#include "rsd/decode/learn_policy.h"
#include "rsd/decode/policies.h"
#include "rsd/ranker/named_policies.h"
#include "rsd/ranker/prompted_llm.h"
#include "rsd/ranker/ranking_queue.h"

namespace rsd {
namespace {

// A file is named without its folder and ending; other names stay.
std::string short_name(const EngineOptions& options, const LlmEngine& llm) {
  const std::string name = llm.model_name();
  return options.remote ? name : std::filesystem::path(name).stem().string();
}

struct LoadedPolicies {
  std::shared_ptr<const RankingPolicy> own;    // null: only where there is a fault
  std::shared_ptr<const RankingPolicy> agent;  // null where there is none
  std::optional<Error> agent_fault;
};

// The agent is read even if requests use another policy by default, since they may name it. The
// faults of the project's own, which nobody has named, concern only requests that use it.
Result<LoadedPolicies> load_policies(const EngineOptions& options) {
  LoadedPolicies loaded;
  const PolicyNames agent_only{.names = {std::string(kAgentPolicy)},
                               .agents = one_or_none(options.agent),
                               .places = options.places};
  if (!agent_files(agent_only).empty()) {
    const auto agent = named_policies(agent_only);
    if (agent) loaded.agent = agent->front();
    if (!agent) loaded.agent_fault = agent.error();
  }
  const bool wants_agent = options.policy.empty() || options.policy == kAgentPolicy;
  if (wants_agent && loaded.agent_fault && !options.agent.empty()) return *loaded.agent_fault;
  if (wants_agent && (loaded.agent || loaded.agent_fault)) {
    loaded.own = loaded.agent;
    return loaded;
  }
  const auto own = named_policies({.names = one_or_none(options.policy), .places = options.places});
  if (!own) return own.error();
  loaded.own = own->front();
  if (options.log && options.policy.empty())
    options.log(LogLevel::kInfo,
                "there is no agent; the policy is " + std::string(loaded.own->name()));
  return loaded;
}

Result<ListSettings> settings_of(const Ranker& ranker, const RankOptions& options,
                                 Clock::time_point arrival) {
  if (auto sensible = check(options); !sensible) return sensible.error();
  DecodingOptions decoding{.decoder = options.decoder,
                           .budget = budget_of_prompt(options),
                           .draft = options.draft,
                           .top_n = options.top_n};
  if (options.keep_rounds) decoding.n_recent = kEveryRound;
  if (uses_policy(options.decoder)) {
    auto named = ranker.policy(options.policy);
    if (!named) return named.error();
    decoding.policy = *std::move(named);
  }
  ListSettings settings{.decoding = std::move(decoding),
                        .budget = options.budget,
                        .deadline = std::nullopt,
                        .windows = options.windows,
                        .max_text_tokens = options.max_text_tokens,
                        .refuses_long_texts = options.long_texts == LongTexts::kRefuse,
                        .draft = options.previous,
                        .max_tokens = options.max_tokens,
                        .cache_scope = options.cache_scope.value_or("")};
  if (options.deadline) settings.deadline = arrival + duration_of_ms(options.deadline->count());
  return settings;
}

}  // namespace

Result<Ranker> Ranker::load(const EngineOptions& options) {
  auto policies = load_policies(options);
  if (!policies) return policies.error();
  auto loaded = load_prompted(options);
  if (!loaded) return loaded.error();
  std::string name = short_name(options, *loaded->llm);
  Ranker ranker(Parts{.llm = std::move(loaded->llm),
                      .prompts = std::move(loaded->prompts),
                      .policy = std::move(policies->own),
                      .agent = std::move(policies->agent),
                      .parallel = parallel_of(options),
                      .model_name = std::move(name)});
  ranker.state_->agent_fault = std::move(policies->agent_fault);
  return ranker;
}

Ranker::Ranker(Parts parts)
    : state_(new State{.parts = std::move(parts), .agent_fault = std::nullopt, .costs = {}}) {
  RSD_CHECK(state_->parts.llm && state_->parts.parallel > 0, "the parts of a ranker");
  if (state_->parts.model_name.empty()) state_->parts.model_name = state_->parts.llm->model_name();
}

Ranker::Ranker(Ranker&&) noexcept = default;
Ranker& Ranker::operator=(Ranker&&) noexcept = default;
Ranker::~Ranker() = default;

Result<Answer> Ranker::rank(const Request& request, const RankOptions& options) {
  return std::move(rank(std::span(&request, 1), options).front());
}

std::vector<Result<Answer>> Ranker::rank(std::span<const Request> requests,
                                         const RankOptions& options) {
  std::vector<std::optional<Result<Answer>>> answers(requests.size());
  if (options.deadline) {
    if (const auto done = calibrate(); !done)
      return {requests.size(), Result<Answer>(done.error())};
  }
  RankingQueue queue(*this);
  std::size_t next = 0;
  while (next < requests.size() || queue.size() > 0) {
    for (; next < requests.size() && queue.has_place(); ++next) {
      const auto added = queue.add(next, requests[next], options);
      if (!added) answers[next] = added.error();
    }
    for (auto& finished : queue.step())
      answers[finished.ticket] = std::move(finished.answer);
  }
  std::vector<Result<Answer>> ordered;
  ordered.reserve(answers.size());
  for (auto& answer : answers)
    ordered.push_back(*std::move(answer));
  return ordered;
}

Result<std::shared_ptr<const PreparedRequest>> Ranker::prepare(Request request,
                                                               const RankOptions& options,
                                                               Clock::time_point arrival) const {
  auto completed = complete(std::move(request));
  if (!completed) return completed.error();
  const auto settings = settings_of(*this, options, arrival);
  if (!settings) return settings.error();
  if (options.previous && options.previous->size() != completed->candidates.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 "previous ranks " + std::to_string(options.previous->size()) + " candidates of " +
                     std::to_string(completed->candidates.size()));
  }
  if (options.min_score && !reads_relevance(completed->task)) {
    return invalid_argument(
        "min_score is for LLMs that read relevance (docs/blocks.md), and this one doesn't: its "
        "scores only compare the candidates of a list");
  }
  auto list = ListRequest::create(*completed, *settings,
                                  {.builder = state_->parts.prompts,
                                   .context_tokens = context_size(),
                                   .max_items = max_candidates(completed->task),
                                   .reads_relevance = reads_relevance(completed->task)},
                                  Clock::now());
  if (!list) return list.error();
  return std::make_shared<const PreparedRequest>(std::unique_ptr<const PreparedRequest::Plan>(
      new PreparedRequest::Plan{.request = *std::move(completed),
                                .list = *std::move(list),
                                .decoder = std::string(to_string(options.decoder)),
                                .arrival = arrival,
                                .min_score = options.min_score,
                                .keep_rounds = options.keep_rounds}));
}

Result<void> Ranker::calibrate() {
  State& state = *state_;
  if (state.is_calibrated) return {};
  if (auto done = state.parts.llm->calibrate(state.costs); !done) return done;
  if (const auto own = policy("")) learn_policy(**own, state.costs);
  state.is_calibrated = true;
  return {};
}

const std::string& Ranker::model_name() const noexcept {
  return state_->parts.model_name;
}

std::size_t Ranker::context_size() const noexcept {
  return state_->parts.llm->context_size();
}

std::size_t Ranker::parallel() const noexcept {
  return state_->parts.parallel;
}

bool Ranker::reads_relevance(Task task) const {
  return state_->parts.llm->reads_relevance() &&
         state_->parts.prompts.layout(task) == PromptLayout::kBlocks;
}

std::size_t Ranker::max_candidates(Task task) const {
  return std::min(state_->parts.prompts.identifiers(task).size(), state_->parts.llm->max_items());
}

const PromptBuilder& Ranker::prompts() const noexcept {
  return state_->parts.prompts;
}

Result<std::shared_ptr<const RankingPolicy>> Ranker::policy(const std::string& name) const {
  if (name.empty() && state_->parts.policy) return state_->parts.policy;
  if (!name.empty() && name != kAgentPolicy) return policy_by_name(name);
  if (!name.empty() && state_->parts.agent) return state_->parts.agent;
  if (state_->agent_fault) return *state_->agent_fault;
  if (name.empty()) return policy_by_name(kDefaultPolicy);
  return Error(ErrorCode::kInvalidArgument, "policy agent: there is no agent here");
}

void Ranker::set_model_name(std::string name) {
  state_->parts.model_name = std::move(name);
}

LlmEngine& Ranker::llm() noexcept {
  return *state_->parts.llm;
}

const CostModel& Ranker::costs() const noexcept {
  return state_->costs;
}

PromptReuse Ranker::prompt_reuse() const noexcept {
  return state_->parts.llm->prompt_reuse();
}

}  // namespace rsd
