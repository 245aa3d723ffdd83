// Clients' addresses.
#pragma once

#include <string>

namespace rsd::server {

struct ClientAddress {
  std::string ip;  // "unix" of a Unix socket; empty: there is none
  int port = 0;
};

ClientAddress peer_of(int socket);
ClientAddress own_of(int socket);

// The name that a client's limits go by: an IPv4 address, mapped into IPv6 or not; of IPv6 the
// network, /64, of which every address belongs to one client.
std::string limit_name(const std::string& ip);

// 127.0.0.0/8 or ::1, mapped or not, or "unix".
bool is_loopback(const std::string& ip);

}  // namespace rsd::server
