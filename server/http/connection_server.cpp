#include "server/http/connection_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "server/http/acceptor.h"
#include "server/http/client_address.h"

namespace rsd::server {
namespace {

constexpr std::size_t kMaxRequests = 1000;  // on one connection
constexpr std::size_t kReserve = std::size_t{64} << 20U;
constexpr int kBacklog = 512;  // httplib's own is 5

// Not httplib's SO_REUSEPORT, with which two servers can share a port unnoticed.
void set_options(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

}  // namespace

// A connection for which there is no memory gets no answer; its socket is closed with its owner.
template <class Work>
void ConnectionServer::guarded(const Work& work) const noexcept {
  try {
    work();
  } catch (const std::exception& defect) {
    try {
      if (log_) log_(LogLevel::kError, std::string("a connection was given up: ") + defect.what());
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory for the message
    }
  }
}

ConnectionServer::ConnectionServer(const ServerLimits& limits, LogSink log)
    : limits_(limits),
      reserve_(kReserve),
      log_(std::move(log)),
      clients_(limits.places_per_client.value_or(ServerLimits::kUsualClientPlaces)),
      pool_(limits.places) {
  set_socket_options(&set_options);
  set_tcp_nodelay(true);
  set_keep_alive_max_count(kMaxRequests);
  set_keep_alive_timeout(std::chrono::ceil<std::chrono::seconds>(limits.lobby.keep_alive).count());
  set_payload_max_length(limits.connection.max_body_bytes);
}

int ConnectionServer::bind(const std::string& host, int port) {
  const int bound = port == 0 ? bind_to_any_port(host) : (bind_to_port(host, port) ? port : -1);
  if (bound > 0) {
    ::listen(svr_sock_, kBacklog);
    ::fcntl(svr_sock_, F_SETFL, ::fcntl(svr_sock_, F_GETFL) | O_NONBLOCK);
  }
  return bound;
}

Result<void> ConnectionServer::bind_file(const std::string& path) {
  auto file = SocketFile::listen(path, kBacklog);
  if (!file) return file.error();
  file_.emplace(*std::move(file));
  svr_sock_ = file_->release();
  return {};
}

void ConnectionServer::remove_file() noexcept {
  if (file_) file_->remove();
}

void ConnectionServer::greet(int descriptor) noexcept {
  guarded([&] {
    const auto identity = tls_.get();
    Socket socket = identity ? Socket(descriptor, *identity) : Socket(descriptor);
    lobby_->enter(std::make_unique<Visitor>(std::move(socket)));
  });
}

void ConnectionServer::say_no_tls(const std::string& client, const std::string& why) noexcept {
  guarded([&] {
    if (log_) log_(LogLevel::kInfo, "no TLS with " + client + ": " + why);
  });
}

Result<void> ConnectionServer::serve() {
  constexpr auto accept_one = [](int listening) {
    return ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
  };
  lobby_.emplace(
      limits_.lobby, closing_,
      Lobby::Doors{
          .whole = [this](VisitorPtr visitor) { find_place(std::move(visitor)); },
          .broken = [this](VisitorPtr visitor) { serve_brief(std::move(visitor), Room::kThere); },
          .no_tls = [this](const std::string& client,
                           const std::string& why) { say_no_tls(client, why); }});
  Acceptor acceptor({.accept = accept_one, .log = log_});
  auto done = acceptor.run(
      svr_sock_, [this] { return ending_.has_begun.load(); },
      [this](int socket) { greet(socket); });
  ending_.has_begun = true;
  remove_file();
  ::close(svr_sock_.exchange(INVALID_SOCKET));
  lobby_->end();
  pool_.shutdown();
  constexpr std::chrono::seconds kLonger{1};  // for clients to take what was sent last
  closing_.wait(std::min(ending_.limit.load(), Clock::now() + kLonger));
  return done;
}

void ConnectionServer::end(Clock::time_point limit) {
  ending_.limit = std::min(ending_.limit.load(), limit);
  ending_.has_begun = true;
}

// nullopt: the client has as many as it may.
std::optional<Quota::Share> ConnectionServer::place_of(const std::string& client) {
  if (!limits_.places_per_client && is_on_this_machine(client)) return Quota::Share();
  return clients_.take(limit_name(client));
}

void ConnectionServer::find_place(VisitorPtr visitor) {
  guarded([&] {
    if (is_brief_(visitor->bytes)) return serve_brief(std::move(visitor), Room::kThere);
    auto place = place_of(visitor->client);
    if (!place) return serve_brief(std::move(visitor), Room::kClientHasEnough);
    visitor->place = *std::move(place);
    const auto shared = std::make_shared<VisitorPtr>(std::move(visitor));
    ConnectionPool::Task serve = [this, shared] {
      serve_visitor(std::move(*shared), limits_.connection, Room::kThere);
    };
    if (!pool_.enqueue(serve)) serve_brief(std::move(*shared), Room::kNone);
  });
}

// No client may hold up the threads for brief requests.
void ConnectionServer::serve_brief(VisitorPtr visitor, Room room) {
  constexpr std::chrono::milliseconds kLongest{1'000};
  guarded([&] {
    ConnectionLimits limits = limits_.connection;
    limits.response = std::min(limits.response, kLongest);
    const auto shared = std::make_shared<VisitorPtr>(std::move(visitor));
    ConnectionPool::Task serve = [this, shared, limits, room] {
      serve_visitor(std::move(*shared), limits, room);
    };
    pool_.enqueue_brief(serve);
  });
}

void ConnectionServer::serve_visitor(VisitorPtr visitor, const ConnectionLimits& limits,
                                     Room room) noexcept {
  guarded([&] {
    reserve_.restore();
    const bool is_last = visitor->n_requests + 1 == kMaxRequests || ending_.has_begun;
    Connection connection(std::move(visitor), limits, room,
                          {.ending = ending_, .closing = closing_, .others_wait = [this] {
                             return pool_.n_waiting() > 0;
                           }});
    bool closing = false;
    bool served = false;
    try {
      served = process_request(connection, is_last, closing, on_headers_);
    } catch (const std::bad_alloc&) {
      connection.refuse_for_memory();
      throw;
    }
    const bool sent = connection.flush();
    if (served && sent && !closing && !is_last && !connection.closes())
      lobby_->enter(connection.leave());
  });
}

}  // namespace rsd::server
