#include "connection_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "acceptor.h"

namespace rsd::server {
namespace {

constexpr std::size_t kMaxRequests = 1000;  // on one connection
constexpr int kBacklog = 512;               // httplib's own is 5

// Not httplib's SO_REUSEPORT, with which two servers share a port without a word.
void set_options(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

}  // namespace

ConnectionServer::ConnectionServer(const ConnectionLimits& limits, std::size_t max_connections,
                                   LogSink log)
    : limits_(limits), log_(std::move(log)), pool_(max_connections) {
  set_socket_options(&set_options);
  set_tcp_nodelay(true);
  set_keep_alive_max_count(kMaxRequests);
  set_keep_alive_timeout(std::chrono::ceil<std::chrono::seconds>(limits.keep_alive).count());
  set_payload_max_length(limits.max_body_bytes);
}

int ConnectionServer::bind(const std::string& host, int port) {
  const int bound = port == 0 ? bind_to_any_port(host) : (bind_to_port(host, port) ? port : -1);
  if (bound > 0) {
    ::listen(svr_sock_, kBacklog);
    ::fcntl(svr_sock_, F_SETFL, ::fcntl(svr_sock_, F_GETFL) | O_NONBLOCK);
  }
  return bound;
}

Result<void> ConnectionServer::serve() {
  constexpr auto accept_one = [](int listening) {
    return ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  };
  Acceptor acceptor({.accept = accept_one, .log = log_});
  auto done = acceptor.run(
      svr_sock_, [this] { return ending_.has_begun.load(); }, [this](int socket) { take(socket); });
  ending_.has_begun = true;
  ::close(svr_sock_.exchange(INVALID_SOCKET));
  pool_.shutdown();
  constexpr std::chrono::seconds kLonger{1};  // for clients to take what was sent last
  closing_.wait(std::min(ending_.limit.load(), Clock::now() + kLonger));
  return done;
}

void ConnectionServer::end(Clock::time_point limit) {
  ending_.limit = std::min(ending_.limit.load(), limit);
  ending_.has_begun = true;
}

void ConnectionServer::take(int socket) noexcept {
  try {
    pool_.enqueue([this, socket] { serve_socket(socket); });
  } catch (const std::exception&) {  // no memory: this client goes without an answer
    ::close(socket);
  }
}

void ConnectionServer::serve_socket(int socket) noexcept {
  try {
    Connection connection(socket, limits_, ending_, closing_);
    if (ConnectionPool::refuses()) {
      refuse_connection(connection);
    } else {
      serve_connection(connection);
    }
  } catch (const std::exception& defect) {  // no memory: this client goes without an answer
    if (log_) log_(LogLevel::kError, std::string("a connection was given up: ") + defect.what());
  }
}

void ConnectionServer::refuse_connection(Connection& connection) const {
  std::string client;
  int port = 0;
  connection.get_remote_ip_and_port(client, port);
  const std::string response = on_no_room_(client);
  connection.write(response.data(), response.size());
  connection.flush();
}

void ConnectionServer::serve_connection(Connection& connection) {
  std::size_t n_requests = 0;
  const auto stop = [&] { return ending_.has_begun || (n_requests > 0 && pool_.n_waiting() > 0); };
  const auto patience = [&] { return n_requests == 0 ? limits_.silence : limits_.keep_alive; };
  for (bool open = true; open && connection.wait_for_request(patience(), stop); ++n_requests) {
    connection.begin_request();
    bool closing = false;
    const bool is_last = n_requests + 1 == kMaxRequests || ending_.has_begun;
    const bool served = process_request(connection, is_last, closing, on_headers_);
    const bool sent = connection.flush();
    open = served && sent && !closing && !is_last && !connection.closes();
  }
}

}  // namespace rsd::server
