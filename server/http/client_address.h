// Clients' addresses.
#pragma once

#include <string>

namespace rsd::server {

struct ClientAddress {
  std::string ip;  // "unix" at a Unix socket; empty: unknown
  int port = 0;
};

ClientAddress peer_of(int socket);
ClientAddress own_of(int socket);

// The name under which a client's limits are counted: an IPv4 address, mapped into IPv6 or not; the
// /64 network of an IPv6 address, since all of its addresses belong to one client; or "unix".
std::string limit_name(const std::string& ip);

// 127.0.0.0/8 or ::1, mapped or not. An address only: no name is resolved.
bool is_loopback(const std::string& ip);

// Is ClientAddress::ip that of a client on this machine, by loopback or by a Unix socket?
bool is_on_this_machine(const std::string& ip);

}  // namespace rsd::server
