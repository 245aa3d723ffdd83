// From requests to rankings, through the scheduler.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "failure.h"
#include "metrics.h"
#include "quota.h"
#include "rank_options.h"
#include "ranked.h"
#include "ranking_engine.h"
#include "reply.h"
#include "rsd/rank/request.h"
#include "scheduler.h"

namespace rsd::server {

using RankEnd = std::variant<Ranked, Failure>;

// Thread-safe.
class Ranker {
 public:
  struct Rules {
    const RankDefaults& defaults;  // outlive it
    std::size_t requests_per_key = Quota::kNoLimit;
  };
  // `metrics` outlive it.
  Ranker(std::unique_ptr<RankingEngine> engine, std::unique_ptr<Scheduler> scheduler,
         const Rules& rules, Metrics& metrics);
  ~Ranker();

  // One end a request, in order. They go to the scheduler together, so that all of them are refused
  // where it has no room (Failure), before their prompts are built if that is known already, or
  // where the call's key has too many. A single candidate needs no LLM.
  std::variant<std::vector<RankEnd>, Failure> rank(std::vector<Request> requests,
                                                   const RankOptions& options, const Call& call);

  const RankingEngine& engine() const noexcept { return *engine_; }
  Scheduler& scheduler() noexcept { return *scheduler_; }

 private:
  struct Prepared;

  Prepared prepare(Request request, const ListSettings& settings, const Timeliness& times) const;
  static void take(Prepared& prepared, ListOutcome outcome);
  static void take(Prepared& prepared, JobAnswer answer);
  std::optional<Failure> submit(std::vector<Prepared>& prepared, const Timeliness& times);
  void cancel(const std::vector<Prepared>& prepared);
  RankEnd await(Prepared& prepared, const Call& call);
  Failure refused(Refusal why);
  Failure key_has_enough();
  std::optional<Quota::Share> share_of(const std::string& key, std::size_t n_jobs);

  std::unique_ptr<RankingEngine> engine_;
  std::unique_ptr<Scheduler> scheduler_;  // uses the engine
  const RankDefaults& defaults_;
  Quota keys_;
  Metrics& metrics_;
};

}  // namespace rsd::server
