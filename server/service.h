// What the routes do, without the HTTP around them.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "json/read_json.h"
#include "server/api/rank_shape.h"
#include "server/api/rerank_shape.h"
#include "server/broker.h"
#include "server/http/call.h"
#include "server/http/failure.h"
#include "server/http/quota.h"
#include "server/metrics.h"
#include "server/scheduler.h"

namespace rsd::server {

struct ServiceLimits {
  std::size_t max_candidates = 1000;
  std::size_t max_depth = kMaxJsonDepth;                   // of JSON
  UnknownFields unknown_fields = UnknownFields::kIgnored;  // of the rerank routes
  Scheduler::Limits jobs;
  // How many jobs of one API key may wait or be in progress; any number for calls without a key.
  std::size_t requests_per_key = Quota::kNoLimit;
  RequestLimits::Texts texts{};  // of candidates that are given by their ids alone (RequestLimits)
  std::size_t max_round_logits = 500'000;  // of the rounds in an answer: about 10 MB
};

// Thread-safe.
class Service {
 public:
  // `defaults`: for what a call doesn't choose.
  Service(const ServiceLimits& limits, RankOptions defaults);
  ~Service();

  // Ranking calls are refused with 503 before this. To be called once.
  void start(std::unique_ptr<Ranker> ranker);
  // Takes no ranking calls from now on, and waits for those it has; false when some are left at
  // `until`.
  bool drain(Clock::time_point until);
  // Ends what is left: it is answered with 503 at once. False: a pass of the LLM is still running
  // at `until`, and the destructor would wait for it.
  bool stop(Clock::time_point until);
  // For the metrics: how many lines of the log were dropped since the start. Called from many
  // threads; to be set before there are calls.
  void count_dropped_lines(std::function<std::size_t()> n_dropped) {
    n_log_lines_dropped_ = std::move(n_dropped);
  }

  Reply rerank(const Call& call, RerankRoute route);
  Reply rank(const Call& call);
  Reply health() const;  // the process lives
  Reply ready() const;   // ranking calls are taken
  Reply models() const;
  // The one model, whatever name was asked for.
  Reply model() const;
  Reply info() const;  // in the form of TEI's route
  Reply metrics_text();
  Metrics& metrics() noexcept { return metrics_; }

 private:
  enum class Phase { kLoading, kReady, kDraining };

  Phase phase() const noexcept {
    if (draining_) return Phase::kDraining;
    return started_ ? Phase::kReady : Phase::kLoading;
  }
  static std::optional<Failure> unavailable(Phase phase);
  RequestLimits::Texts indexed_texts(const Call& call, std::optional<Failure>& failure) const;
  OutJson model_entry() const;
  std::optional<Failure> refuse_ranking();
  std::optional<Failure> fault_of_rounds(const RankCall& wanted, const std::vector<RankEnd>& ends,
                                         const Call& call) const;
  Reply rerank_parsed(ParsedRerank& parsed, const Call& call, RerankRoute route);

  const ServiceLimits limits_;
  const RankOptions defaults_;
  Metrics metrics_;
  std::function<std::size_t()> n_log_lines_dropped_;  // may be empty
  std::unique_ptr<Broker> broker_;                    // set before started_, then for good
  std::atomic<bool> started_{false};
  std::atomic<bool> draining_{false};
};

}  // namespace rsd::server
