// httplib's server on connections of ours.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <functional>
#include <string>

#include "connection.h"
#include "connection_pool.h"
#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd::server {

// httplib 0.11 parses requests and writes responses; how connections are accepted, kept, timed and
// refused is ruled here.
class ConnectionServer final : public httplib::Server {
 public:
  // `log` may be empty.
  ConnectionServer(const ConnectionLimits& limits, std::size_t max_connections, LogSink log);

  // Called with each request as soon as its headers are there.
  void on_headers(std::function<void(httplib::Request&)> callback) {
    on_headers_ = std::move(callback);
  }
  // Gives the whole answer, headers included, for a client that finds no room, by its address.
  void on_no_room(std::function<std::string(const std::string& client)> callback) {
    on_no_room_ = std::move(callback);
  }

  // The port; -1 where the address can't be had.
  int bind(const std::string& host, int port);
  // Until end(). kRuntime: connections can't be accepted any more; those that were are served.
  Result<void> serve();
  // Clients may take what is being served until `limit`. Another call can only bring that nearer.
  // From one thread at a time.
  void end(Clock::time_point limit);

 private:
  void take(int socket) noexcept;
  void serve_socket(int socket) noexcept;
  void serve_connection(Connection& connection);
  void refuse_connection(Connection& connection) const;

  const ConnectionLimits limits_;
  const LogSink log_;
  std::function<void(httplib::Request&)> on_headers_;
  std::function<std::string(const std::string& client)> on_no_room_;
  Ending ending_;
  LingeringClose closing_{LingerLimits()};
  ConnectionPool pool_;  // last: its threads use what stands above
};

}  // namespace rsd::server
