// httplib's server on connections of ours.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "connection.h"
#include "connection_pool.h"

namespace rsd::server {

// httplib 0.11 accepts connections, parses requests and writes responses; how connections are kept,
// timed and refused is ruled here.
class ConnectionServer final : public httplib::Server {
 public:
  ConnectionServer(const ConnectionLimits& limits, std::size_t max_connections);

  // Called with each request as soon as its headers are there.
  void on_headers(std::function<void(httplib::Request&)> callback) {
    on_headers_ = std::move(callback);
  }
  // The whole answer, headers included, for whoever finds no room.
  void set_refusal(std::string response) { refusal_ = std::move(response); }

  // The port; -1 where the address can't be had.
  int bind(const std::string& host, int port);
  void serve();
  void end();

 private:
  bool process_and_close_socket(socket_t socket) override;
  void serve_connection(Connection& connection);

  const ConnectionLimits limits_;
  std::shared_ptr<PoolState> pool_ = std::make_shared<PoolState>();
  std::function<void(httplib::Request&)> on_headers_;
  std::string refusal_;
  std::atomic<bool> ending_{false};
  std::atomic<bool> served_{false};
};

}  // namespace rsd::server
