// httplib's server on connections of ours.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "server/http/connection.h"
#include "server/http/connection_pool.h"
#include "server/http/lobby.h"
#include "server/http/memory_reserve.h"
#include "server/http/quota.h"
#include "server/http/renewable.h"
#include "server/http/socket_file.h"
#include "server/http/tls.h"

namespace rsd::server {

struct ServerLimits {
  ConnectionLimits connection;
  LobbyLimits lobby;
  std::size_t places = 256;  // for requests that are served at a time; as many more may wait
  // How many of them one client may have; nullopt: kUsualClientPlaces, and any number for clients
  // on this machine, since one of them may be a proxy.
  std::optional<std::size_t> places_per_client;

  static constexpr std::size_t kUsualClientPlaces = 128;
};

// httplib 0.11 parses requests and writes responses; accepting, keeping, timing and refusing
// connections is done here. A connection is in the lobby until a request's head has come, then it
// waits for a thread, which serves that request, and goes back to the lobby.
class ConnectionServer final : public httplib::Server {
 public:
  // `log` may be empty.
  ConnectionServer(const ServerLimits& limits, LogSink log);

  // Called with each request as soon as its headers are there.
  void on_headers(std::function<void(httplib::Request&)> callback) {
    on_headers_ = std::move(callback);
  }
  // Does the request with this head take no time? Then it is served however many others there are.
  void on_is_brief(std::function<bool(std::string_view head)> callback) {
    is_brief_ = std::move(callback);
  }

  // The port; -1: the address can't be listened on.
  int bind(const std::string& host, int port);
  // Listens on a Unix socket instead; errors as SocketFile::listen.
  Result<void> bind_file(const std::string& path);
  // Removes its file, as serve() does at its end. From any thread.
  void remove_file() noexcept;
  // For connections that are accepted from now on; null: plain HTTP.
  void set_tls(std::shared_ptr<const TlsIdentity> identity) { tls_.set(std::move(identity)); }
  // Until end(). kRuntime: connections can't be accepted any more; those that were are served.
  Result<void> serve();
  // Clients have until `limit` to take their responses. Another call can only shorten that.
  // From one thread at a time.
  void end(Clock::time_point limit);

 private:
  void greet(int descriptor) noexcept;
  void say_no_tls(const std::string& client, const std::string& why) noexcept;
  void find_place(VisitorPtr visitor);
  void serve_brief(VisitorPtr visitor, Room room);
  std::optional<Quota::Share> place_of(const std::string& client);
  void serve_visitor(VisitorPtr visitor, const ConnectionLimits& limits, Room room) noexcept;
  template <class Work>
  void guarded(const Work& work) const noexcept;

  const ServerLimits limits_;
  const MemoryReserve reserve_;
  const LogSink log_;
  std::function<void(httplib::Request&)> on_headers_;
  std::function<bool(std::string_view head)> is_brief_;
  Ending ending_;
  LingeringClose closing_{LingerLimits()};
  Quota clients_;
  Renewable<TlsIdentity> tls_{nullptr};
  std::optional<SocketFile> file_;
  std::optional<Lobby> lobby_;  // while it serves
  ConnectionPool pool_;         // its threads use what stands above
};

}  // namespace rsd::server
