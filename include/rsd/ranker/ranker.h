// Ranks requests with an LLM.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/rank_options.h"

namespace rsd {

// A request whose prompts are planned. Immutable, safe to share between threads; must not outlive
// its ranker.
class PreparedRequest {
 public:
  struct Plan;
  explicit PreparedRequest(std::unique_ptr<const Plan> plan);  // Ranker::prepare makes them
  ~PreparedRequest();
  PreparedRequest(const PreparedRequest&) = delete;
  PreparedRequest& operator=(const PreparedRequest&) = delete;

  const Request& request() const noexcept;
  // True if two or more candidates have a text, or one and the LLM reads relevance, and the
  // deadline has not passed.
  bool needs_llm() const noexcept;
  Clock::time_point arrival() const noexcept;
  std::optional<Clock::time_point> deadline() const noexcept;
  // Tokens of LLM work that the request is expected to take without a deadline; 0 = unknown, or
  // none.
  std::size_t expected_tokens() const noexcept;
  // The answer if no LLM is needed; else the input order, for a deadline that passes before the LLM
  // begins.
  Answer answer_without_llm(Clock::time_point now) const;

  const Plan& plan() const noexcept { return *plan_; }

 private:
  std::unique_ptr<const Plan> plan_;
};

// Movable while it has no RankingQueue; a moved-from ranker may only be destroyed or assigned to.
// One thread at a time may use it, except for the members that say otherwise.
class Ranker {
 public:
  // Reads the agent, then the model. kInvalidArgument: an unknown policy; else the errors of
  // load_engine, and of load_agent for an agent that options.agent names. If the project's own
  // agent can't be loaded, only the requests that use it fail.
  static Result<Ranker> load(const EngineOptions& options = {});

  // What a ranker is made of, for an LLM of the caller's own.
  struct Parts {
    std::unique_ptr<LlmEngine> llm;
    PromptBuilder prompts;  // for the LLM's tokenizer
    // The policy of requests that name none; null: kDefaultPolicy.
    std::shared_ptr<const RankingPolicy> policy = nullptr;
    std::shared_ptr<const RankingPolicy> agent = nullptr;  // the policy kAgentPolicy
    std::size_t parallel = 1;                              // EngineOptions::parallel
    std::string model_name{};                              // empty: LlmEngine::model_name
  };
  explicit Ranker(Parts parts);

  Ranker(Ranker&&) noexcept;
  Ranker& operator=(Ranker&&) noexcept;
  ~Ranker();

  // Ranks one request. Errors of prepare(); kRuntime if the LLM fails. A deadline is no error: the
  // answer is the best ranking so far. Cost: at most options.budget LLM encodings for
  // a list in one prompt.
  Result<Answer> rank(const Request& request, const RankOptions& options = {});
  // Ranks several requests, EngineOptions::parallel at a time, and returns their answers in the
  // same order. An error concerns its request alone.
  std::vector<Result<Answer>> rank(std::span<const Request> requests,
                                   const RankOptions& options = {});

  // Checks and completes the request (complete()) and plans its prompts. Any number of threads may
  // call it at a time. kInvalidInput: no candidate has a text, or as complete(); kInvalidArgument:
  // options out of range, an unknown policy; kTooLong: the context has no room for two
  // candidates, a text would have to be cut although options.long_texts is kRefuse, or the request
  // is expected to take more than options.max_tokens; kUnsupported: the model has fewer than two
  // identifiers.
  Result<std::shared_ptr<const PreparedRequest>> prepare(
      Request request, const RankOptions& options = {},
      Clock::time_point arrival = Clock::now()) const;

  // Measures the costs of encodings and of the policy, so that they are known for the first request
  // with a deadline; without it they are learned from requests. Cost: a few short passes of the
  // LLM, once; further calls do nothing. Must not be called while a RankingQueue has requests.
  // kRuntime if the LLM fails.
  Result<void> calibrate();

  // These may be called from any thread.
  const std::string& model_name() const noexcept;  // a file's, without folder and ending
  std::size_t context_size() const noexcept;       // tokens that prompt and ranking may take
  std::size_t parallel() const noexcept;
  bool reads_relevance(Task task) const;        // Answer::relevance_is_probability
  std::size_t max_candidates(Task task) const;  // of one prompt, limited by the model's identifiers
  const PromptBuilder& prompts() const noexcept;
  // The policy of that name, or the ranker's own if it is empty. kInvalidArgument: unknown.
  Result<std::shared_ptr<const RankingPolicy>> policy(const std::string& name) const;

  // Replaces model_name().
  void set_model_name(std::string name);
  LlmEngine& llm() noexcept;
  PromptReuse prompt_reuse() const noexcept;
  // The learned costs of passes; they change while requests are ranked.
  const CostModel& costs() const noexcept;

 private:
  friend class RankingQueue;
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace rsd
