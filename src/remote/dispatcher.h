// Sends questions to replicas and returns the answers, with retries and failover.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "remote/backoff.h"
#include "remote/http_client.h"
#include "remote/protocol.h"
#include "remote/replica_set.h"
#include "rsd/core/result.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

// Each question is sent to one replica at a time: the preferred one, else the least loaded. After a
// failure of the replica it is sent to the others in turn; when none is left it waits and begins
// anew, as often as RemotePatience allows. If a replica leaves a question unanswered, its other
// questions move to other replicas where possible. A replica whose circuit was open is checked by
// GET /health before a question is sent to it. Not thread-safe; everything happens in wait().
class Dispatcher {
 public:
  using Id = std::size_t;
  struct Answered {
    Id id = 0;
    Result<RowAnswer> answer;            // kRuntime names the replicas and their errors
    std::optional<std::size_t> replica;  // the replica that answered
    double ms = 0;                       // since ask()
  };

  // `options` were checked by check_remote_options (connect.h).
  Dispatcher(const RemoteOptions& options, std::unique_ptr<HttpClient> http,
             std::shared_ptr<const Protocol> protocol, std::string model);
  ~Dispatcher();

  // The tokens that the question refers to must live until it is answered or cancelled.
  Id ask(const RowQuestion& question, std::optional<std::size_t> preferred);
  void cancel(Id id);
  // The answers received, as soon as there is one; none if `until` comes first or no question is
  // open.
  std::vector<Answered> wait(Clock::time_point until);

  // Counts a request whose later questions should reach the same prefix cache.
  void bind(std::size_t replica) { ++replicas_[replica].n_bound; }
  void unbind(std::size_t replica) { --replicas_[replica].n_bound; }

  const Protocol& protocol() const noexcept { return *protocol_; }
  const std::string& model() const noexcept { return model_; }
  RemoteEngine::Traffic traffic() const;

 private:
  struct Job;

  void start_checks(Clock::time_point now);
  void start_what_is_due(Clock::time_point now);
  void start(Id id, Job& job, std::size_t replica);
  void take(const HttpClient::Ended& ended);
  bool take_check(const HttpClient::Ended& ended);
  void take_answer(Id id, Job& job, std::size_t replica, const HttpReply& reply);
  void note_failure(Job& job, std::size_t replica, const HttpReply& reply, bool on_trial);
  void withdraw(Job& job);
  void move_others(std::size_t replica, Clock::time_point now);
  void begin_anew(Id id, Job& job, Clock::time_point now);
  void end(Id id, Result<RowAnswer> answer, std::optional<std::size_t> replica);
  Error all_failed(const Job& job) const;
  Clock::time_point next_start(Clock::time_point until) const;
  void log(LogLevel level, const std::string& line) const;

  RemotePatience patience_;
  LogSink log_;
  std::unique_ptr<HttpClient> http_;
  std::shared_ptr<const Protocol> protocol_;
  std::string model_;
  ReplicaSet replicas_;
  Backoff backoff_;
  std::map<Id, std::unique_ptr<Job>> jobs_;
  std::map<HttpClient::Ticket, Id> under_way_;
  std::map<HttpClient::Ticket, std::size_t> checks_;  // by ticket: the replica
  std::vector<Answered> answered_;
  RemoteEngine::Traffic traffic_;
  Id next_id_ = 1;
};

}  // namespace rsd
