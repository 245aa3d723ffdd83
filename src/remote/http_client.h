// Many HTTP exchanges at a time in one thread, over connections that are kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

struct HttpOptions {
  std::chrono::milliseconds connect_timeout{2000};
  std::string api_key;  // sent as a bearer token; empty = none
  // kProtected: no proxy is asked for loopback addresses. Which URLs are safe the caller has
  // checked.
  KeyTransport key_transport = KeyTransport::kProtected;
  std::size_t max_answer_bytes = std::size_t{16} << 20U;
};

struct HttpCall {
  std::string url;
  std::optional<std::string> body;  // JSON, sent by POST; nullopt: GET
  std::chrono::milliseconds timeout{60'000};
};

enum class HttpFailure {
  kNone,     // there is an answer, whatever its status
  kConnect,  // nobody was reached
  kBroken,   // the connection ended before the answer did
  kTimeout,
  kTooLong,  // the answer has more than max_answer_bytes
  kOther,    // such as a certificate that can't be trusted; another try would end the same
};

struct HttpReply {
  HttpFailure failure = HttpFailure::kNone;
  std::string reason;  // of a failure, in libcurl's words
  int status = 0;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
};

// Not thread-safe. Redirects are not followed; certificates are verified. Proxies are taken from
// the environment, as libcurl does, and never see the key where the server is asked by https.
class HttpClient {
 public:
  using Ticket = std::size_t;
  struct Ended {
    Ticket ticket = 0;
    HttpReply reply;
  };

  // kInvalidArgument: a key that can't stand in a header. kRuntime: libcurl can't be started.
  static Result<std::unique_ptr<HttpClient>> create(HttpOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  Ticket start(HttpCall call);
  // Its connection is closed, by which a server learns that nobody waits any more.
  void cancel(Ticket ticket);
  std::size_t n_under_way() const noexcept;
  // Those that ended, as soon as there is one; none when `until` comes first.
  std::vector<Ended> wait(Clock::time_point until);

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
