// Many concurrent HTTP exchanges in one thread, over persistent connections.
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

struct HttpClientOptions {
  std::chrono::milliseconds connect_timeout{2000};
  std::string api_key;  // sent as a bearer token; empty = none
  // kProtected: no proxy is used for loopback addresses. The caller has checked which URLs are
  // safe.
  KeyTransport key_transport = KeyTransport::kProtected;
  std::size_t max_answer_bytes = std::size_t{16} << 20U;
};

struct HttpCall {
  std::string url;
  std::optional<std::string> body;  // JSON, sent by POST; nullopt: GET
  std::chrono::milliseconds timeout{60'000};
};

enum class HttpFailure {
  kNone,     // there is an answer, of any status
  kConnect,  // no connection
  kBroken,   // the connection ended before the answer was complete
  kTimeout,
  kTooLong,  // the answer has more than max_answer_bytes
  kOther,    // such as an untrusted certificate; another try would fail, too
};

struct HttpReply {
  HttpFailure failure = HttpFailure::kNone;
  std::string reason;  // of a failure: libcurl's message
  int status = 0;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
};

// Not thread-safe. Redirects are not followed; certificates are verified. libcurl takes proxies
// from the environment; with https they never see the key.
class HttpClient {
 public:
  using Ticket = std::size_t;
  struct Ended {
    Ticket ticket = 0;
    HttpReply reply;
  };

  // kInvalidArgument: a key that is not a valid header value. kRuntime: libcurl can't be
  // initialised.
  static Result<std::unique_ptr<HttpClient>> create(HttpClientOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  Ticket start(HttpCall call);
  // Closes the exchange's connection, so that the server can notice and stop its work.
  void cancel(Ticket ticket);
  std::size_t n_under_way() const noexcept;
  // The exchanges that ended, as soon as there is one; none if `until` comes first.
  std::vector<Ended> wait(Clock::time_point until);

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
