// An LLM that ranks: the one way from a request to an answer.
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
  // The LLM is needed only if two candidates or more have a text and there is time left.
  bool needs_llm() const noexcept;
  Clock::time_point arrival() const noexcept;
  std::optional<Clock::time_point> deadline() const noexcept;
  // Tokens of LLM work that the request is expected to take without a deadline; 0 = unknown, or
  // none.
  std::size_t expected_tokens() const noexcept;
  // The answer without the LLM: the settled one if the LLM isn't needed, else the input order, for
  // a deadline that came before the LLM could begin.
  Answer answer_without_llm(Clock::time_point now) const;

  const Plan& plan() const noexcept { return *plan_; }

 private:
  std::unique_ptr<const Plan> plan_;
};

// Movable while it has no RankingQueue; a moved-from ranker may only be destroyed or assigned to.
// One thread at a time may use it, but for the members that say otherwise.
class Ranker {
 public:
  // Reads the agent, then the model. kInvalidArgument: an unknown policy; else the errors of
  // load_engine, and of load_agent for an agent that is named. A fault of the project's own agent
  // is an error only of the requests that use it.
  static Result<Ranker> load(const EngineOptions& options = {});

  // For an LLM of the caller's own.
  struct Parts {
    std::unique_ptr<LlmEngine> llm;
    PromptBuilder prompts;  // for the LLM's tokenizer
    std::shared_ptr<const RankingPolicy> policy =
        nullptr;  // of requests without one; null: kDefaultPolicy
    std::shared_ptr<const RankingPolicy> agent = nullptr;  // by the name kAgentPolicy
    std::size_t parallel = 1;                              // EngineOptions::parallel
    std::string model_name{};                              // empty: the LLM's own
  };
  explicit Ranker(Parts parts);

  Ranker(Ranker&&) noexcept;
  Ranker& operator=(Ranker&&) noexcept;
  ~Ranker();

  // Ranks one request. Errors: those of prepare(), and kRuntime where the LLM fails. A deadline is
  // no error: the answer is the best ranking so far. Cost: at most options.budget LLM encodings for
  // a list in one prompt.
  Result<Answer> rank(const Request& request, const RankOptions& options = {});
  // Ranks several, EngineOptions::parallel at a time; answers in the order of the requests. An
  // error is that of its request alone.
  std::vector<Result<Answer>> rank(std::span<const Request> requests,
                                   const RankOptions& options = {});

  // Checks and completes the request (complete()) and plans its prompts. Any number of threads may
  // call it at a time. kInvalidInput: no candidate has a text, or as complete(); kInvalidArgument:
  // options out of range, a policy that there is not; kTooLong: the context has no room for two
  // candidates, a text would have to be cut that must not, or more than options.max_tokens would be
  // needed; kUnsupported: the model has no two identifiers.
  Result<std::shared_ptr<const PreparedRequest>> prepare(
      Request request, const RankOptions& options = {},
      Clock::time_point arrival = Clock::now()) const;

  // Measures what encodings and the policy cost here, so that the first request with a deadline
  // knows what it has time for; else requests teach it. Takes a few short passes of the LLM and
  // must not be called while a RankingQueue has requests. Once: further calls do nothing. kRuntime
  // where the LLM fails.
  Result<void> calibrate();

  // From any thread.
  const std::string& model_name() const noexcept;  // for people: a file's without folder and ending
  std::size_t context_size() const noexcept;       // tokens that prompt and ranking may take
  std::size_t parallel() const noexcept;
  std::size_t max_candidates(Task task) const;  // of one prompt: the model's identifiers
  const PromptBuilder& prompts() const noexcept;
  // The policy of that name; the ranker's own for an empty one. kInvalidArgument: there is none.
  Result<std::shared_ptr<const RankingPolicy>> policy(const std::string& name) const;

  // Another name for clients to see.
  void set_model_name(std::string name);
  LlmEngine& llm() noexcept;
  PromptReuse prompt_reuse() const noexcept;
  // What passes have been found to cost; changes while requests are ranked.
  const CostModel& costs() const noexcept;

 private:
  friend class RankingQueue;
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace rsd
