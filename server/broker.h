// Between calls and the scheduler: prepares requests and holds each API key to its share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "rsd/rank/request.h"
#include "rsd/ranker/ranker.h"
#include "server/api/ranked.h"
#include "server/http/call.h"
#include "server/http/failure.h"
#include "server/http/quota.h"
#include "server/metrics.h"
#include "server/scheduler.h"

namespace rsd::server {

// Thread-safe.
class Broker {
 public:
  // `metrics` outlive it.
  Broker(std::unique_ptr<Ranker> ranker, std::unique_ptr<Scheduler> scheduler,
         std::size_t requests_per_key, Metrics& metrics);
  ~Broker();

  // Returns one RankEnd per request, in order. All go to the scheduler together. A Failure for all
  // of them: the scheduler has no room (checked before their prompts are built, too), or the call's
  // key has too many requests. A single candidate needs no LLM.
  std::variant<std::vector<RankEnd>, Failure> rank(std::vector<Request> requests,
                                                   const RankOptions& options, const Call& call);

  const Ranker& ranker() const noexcept { return *ranker_; }
  Scheduler& scheduler() noexcept { return *scheduler_; }

 private:
  struct Order;

  Order prepare(Request request, const RankOptions& options, Clock::time_point arrival) const;
  std::optional<Failure> submit(std::vector<Order>& orders, const std::string& key);
  void cancel(const std::vector<Order>& orders);
  RankEnd await(const Order& order, const Call& call);
  Failure refused(Refusal why);
  Failure key_has_enough();
  std::optional<Quota::Share> share_of(const std::string& key, std::size_t n_jobs);

  std::unique_ptr<Ranker> ranker_;
  std::unique_ptr<Scheduler> scheduler_;  // uses the ranker
  Quota keys_;
  Metrics& metrics_;
};

}  // namespace rsd::server
