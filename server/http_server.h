// The service over HTTP.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access_log.h"
#include "api_keys.h"
#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "service.h"
#include "tls.h"

namespace rsd::server {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                // 0 = any that is free
  std::string unix_socket;        // path; listened on in place of host and port
  std::size_t connections = 256;  // whose requests are served at a time; as many more wait
  // Of them, those of one client's address; nullopt: 128, of this machine's own any number.
  std::optional<std::size_t> connections_per_client;
  std::size_t max_body_bytes = 4u << 20;
  std::size_t memory_bytes = std::size_t{1} << 30U;  // of all calls under way: bodies to answers
  double request_timeout_s = 20;  // for a whole request to arrive, and for a reply to be taken
  double keep_alive_s = 75;  // that an idle connection is kept, longer than proxies keep theirs
  std::shared_ptr<const TlsIdentity> tls;  // null: plain HTTP
  ApiKeys keys;
  std::vector<std::string> allowed_hosts;  // as HostCheck has them
  AccessSink log;                          // called from many threads; may be empty
  LogSink messages;                        // what concerns no call; the same
};

class HttpServer {
 public:
  // `service` outlives it.
  HttpServer(Service& service, HttpOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port; 0: it has none. kRuntime where the address can't be had; of a Unix socket
  // kInvalidArgument, too, where its path is no place for one. To be called once, before serve().
  Result<int> bind();
  // Serves until stop(); then what is being served is finished first. kRuntime: connections can't
  // be accepted any more.
  Result<void> serve();
  // Clients have until `limit` to take what is being served; another call can only bring that
  // nearer. From one thread at a time.
  void stop(Clock::time_point limit);
  // Who may call, and as whom connections are greeted, from now on. Calls and connections that are
  // there already go on as they began. From any thread.
  void set_keys(ApiKeys keys);
  void set_tls(std::shared_ptr<const TlsIdentity> identity);
  // Removes the file of a Unix socket, for a process that ends at once; else serve() does. From any
  // thread.
  void remove_socket_file() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd::server
