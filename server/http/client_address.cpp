#include "server/http/client_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace rsd::server {
namespace {

constexpr std::string_view kUnix = "unix";

// `ask` is getpeername or getsockname.
template <class Ask>
ClientAddress address_of(Ask ask, int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (ask(socket, raw, &length) != 0) return {};
  if (address.ss_family == AF_UNIX) return {.ip = std::string(kUnix)};
  if (::getnameinfo(raw, length, host.data(), host.size(), service.data(), service.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  return {.ip = host.data(), .port = static_cast<int>(std::strtol(service.data(), nullptr, 10))};
}

constexpr std::string_view kMapped = "::ffff:";

// Without the mark of its network card ("fe80::1%eth0"), and as IPv4 where it is mapped.
std::string plain(const std::string& ip) {
  const std::string bare = ip.substr(0, ip.find('%'));
  const bool is_mapped = bare.starts_with(kMapped) && bare.find('.') != std::string::npos;
  return is_mapped ? bare.substr(kMapped.size()) : bare;
}

}  // namespace

ClientAddress peer_of(int socket) {
  return address_of(::getpeername, socket);
}

ClientAddress own_of(int socket) {
  return address_of(::getsockname, socket);
}

std::string limit_name(const std::string& ip) {
  std::string bare = plain(ip);
  in6_addr address{};
  if (::inet_pton(AF_INET6, bare.c_str(), &address) != 1) return bare;
  constexpr int kNetworkBytes = 8;
  std::fill(address.s6_addr + kNetworkBytes, address.s6_addr + sizeof(address.s6_addr),
            std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &address, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

bool is_loopback(const std::string& ip) {
  const std::string bare = plain(ip);
  return bare.starts_with("127.") || bare == "::1";
}

bool is_on_this_machine(const std::string& ip) {
  return is_loopback(ip) || ip == kUnix;
}

}  // namespace rsd::server
