// An HTTP server for an application's routes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "server/http/access_log.h"
#include "server/http/api_keys.h"
#include "server/http/call.h"
#include "server/http/failure.h"
#include "server/http/tls.h"

namespace rsd::server {

struct HttpRoute {
  enum class Method { kGet, kPost };                  // kGet: HEAD, too
  enum class Access { kOpen, kWithKey };              // kOpen: without an API key, too
  using Handler = std::function<Reply(const Call&)>;  // called from many threads

  Method method = Method::kGet;
  std::string path;  // "/v1/models", or "/v1/models/{model}": the last part is any text but none
  Access access = Access::kWithKey;
  Handler handle;
  bool is_brief = false;  // takes no time: served however many other calls there are
  bool any_host = false;  // whatever the header Host says, as probes have no name for the server
};

// What the server serves. All functions are called from many threads.
struct HttpApplication {
  std::vector<HttpRoute> routes;
  // The reply to a failed call, in the form that clients of this path read.
  std::function<Reply(const Failure& failure, const std::string& path)> reply_to_failure;
  // For metrics. A call that was answered: its route, or "other".
  std::function<void(std::string_view route, int status, double ms)> on_answered;
  // A call that was refused for want of "connections", of places of its "client", or of "memory".
  std::function<void(std::string_view reason)> on_refused;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                // 0 = any that is free
  std::string unix_socket;        // path; listened on in place of host and port
  std::size_t connections = 256;  // whose requests are served at a time; as many more wait
  // How many of them one client's address may have; nullopt: 128, and any number for clients on
  // this machine.
  std::optional<std::size_t> connections_per_client;
  std::size_t max_body_bytes = 4u << 20;
  std::size_t memory_bytes = std::size_t{1} << 30U;  // of all calls, from their bodies to replies
  double request_timeout_s = 20;  // for a whole request to arrive, and for a reply to be taken
  double keep_alive_s = 75;       // for which an idle connection is kept, longer than proxies do
  std::shared_ptr<const TlsIdentity> tls;  // null: plain HTTP
  ApiKeys keys;
  std::vector<std::string> allowed_hosts;  // as HostCheck has them
  AccessSink log;                          // called from many threads; may be empty
  LogSink messages;                        // what concerns no call; the same
};

class HttpServer {
 public:
  HttpServer(HttpApplication application, HttpServerOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port; 0 for a Unix socket. kRuntime: the address can't be listened on; for a Unix socket
  // also kInvalidArgument, as SocketFile::listen. To be called once, before serve().
  Result<int> bind();
  // Serves until stop(), then finishes what is being served. kRuntime: connections can't be
  // accepted any more.
  Result<void> serve();
  // Clients have until `limit` to take their replies; another call can only shorten that. From one
  // thread at a time.
  void stop(Clock::time_point limit);
  // The API keys from now on. A call keeps the key that it had when its head came; the next one of
  // the same connection is held to the new keys. From any thread.
  void set_keys(ApiKeys keys);
  // The certificate of connections that are accepted from now on. From any thread.
  void set_tls(std::shared_ptr<const TlsIdentity> identity);
  // Removes the file of a Unix socket, for a process that ends at once; serve() does it otherwise.
  // From any thread.
  void remove_socket_file() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd::server
