// The servers that run the same model, and the choice between them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remote/circuit_breaker.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

struct Replica {
  std::string url;  // without a trailing slash
  CircuitBreaker breaker;
  Clock::time_point busy_until;  // from its Retry-After
  std::size_t n_under_way = 0;   // questions in progress
  std::size_t n_bound = 0;       // requests bound to it
  std::size_t n_answered = 0;
  std::string last_failure;

  bool is_available(Clock::time_point now) const { return breaker.allows() && now >= busy_until; }
  Clock::time_point available_at() const { return std::max(busy_until, breaker.next_check()); }
  std::size_t load() const { return n_under_way + n_bound; }
};

// Normalises a replica's URL: lower-case scheme, no trailing slashes or "/v1". kInvalidArgument if
// it isn't a server's URL, or has parts that are not allowed, such as a password or a query.
Result<std::string> parse_replica_url(const std::string& text);

// True if the host of a normalised URL denotes this machine: localhost, an address of 127.0.0.0/8
// in four decimal numbers, or ::1, also as IPv4-mapped IPv6.
bool is_loopback_url(std::string_view url);

class ReplicaSet {
 public:
  ReplicaSet(const std::vector<std::string>& urls, const CircuitBreaker::Limits& limits) {
    for (const auto& url : urls)
      replicas_.push_back({.url = url, .breaker = CircuitBreaker(limits)});
  }

  std::size_t size() const noexcept { return replicas_.size(); }
  Replica& operator[](std::size_t n) { return replicas_.at(n); }
  const Replica& operator[](std::size_t n) const { return replicas_.at(n); }

  // The preferred replica if `may` allows it and it is available, else the least loaded such
  // replica (the first of several). nullopt if there is none.
  template <class May>
  std::optional<std::size_t> pick(Clock::time_point now, std::optional<std::size_t> preferred,
                                  May may) const {
    std::optional<std::size_t> best;
    for (std::size_t n = 0; n < replicas_.size(); ++n) {
      if (!may(n) || !replicas_[n].is_available(now)) continue;
      if (preferred == n) return n;
      if (!best || replicas_[n].load() < replicas_[*best].load()) best = n;
    }
    return best;
  }

 private:
  std::vector<Replica> replicas_;
};

}  // namespace rsd
