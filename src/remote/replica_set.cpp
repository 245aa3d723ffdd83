#include "remote/replica_set.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string_view>

namespace rsd {
namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char small(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// "http://" or "https://" in any case; empty if it is neither.
std::string_view scheme_of(std::string_view url) {
  constexpr std::array<std::string_view, 2> kSchemes{"http://", "https://"};
  const auto begins_with = [url](std::string_view scheme) {
    return std::ranges::equal(scheme, url.substr(0, scheme.size()), {}, {}, small);
  };
  const auto found = std::ranges::find_if(kSchemes, begins_with);
  return found == kSchemes.end() ? std::string_view() : *found;
}

// A name, an IPv4 address, or an IPv6 address in brackets.
bool is_host(std::string_view host) {
  const bool is_in_brackets = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (is_in_brackets) host = host.substr(1, host.size() - 2);
  return !host.empty() && std::ranges::all_of(host, [&](char c) {
    return is_alphanumeric(c) || c == '.' || (is_in_brackets ? c == ':' : c == '-' || c == '_');
  });
}

bool is_port(std::string_view text) {
  int port = 0;
  const char* const end = std::to_address(text.end());
  const auto read = std::from_chars(std::to_address(text.begin()), end, port);
  return read.ec == std::errc() && read.ptr == end && port >= 1 && port <= 65'535;
}

}  // namespace

Result<std::string> parse_replica_url(const std::string& text) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, "engine URL \"" + text + "\": " + why);
  };
  const std::string_view scheme = scheme_of(text);
  if (scheme.empty()) return refuse("it must begin with http:// or https://");
  const std::string_view rest = std::string_view(text).substr(scheme.size());
  const std::string_view server = rest.substr(0, rest.find('/'));
  // The message must not repeat the password.
  if (server.find('@') != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument,
                 "an engine URL must not hold a password; a key is given apart from it");
  }
  const auto is_printable = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(rest, is_printable)) return refuse("it has characters of no URL");
  if (rest.find_first_of("?#") != std::string_view::npos)
    return refuse("it must end with the server or a path");
  const std::size_t colon = server.find(':', server.find(']') + 1);
  const std::string_view host = server.substr(0, colon);
  if (host.empty()) return refuse("it names no host");
  if (!is_host(host)) return refuse("its host is none");
  if (colon != std::string_view::npos && !is_port(server.substr(colon + 1)))
    return refuse("its port must be a number from 1 to 65535");
  std::string url = std::string(scheme) + std::string(rest);
  const auto strip = [&url] {
    while (url.ends_with('/'))
      url.pop_back();
  };
  strip();
  constexpr std::string_view kVersion = "/v1";
  if (url.ends_with(kVersion)) url.resize(url.size() - kVersion.size());
  strip();
  return url;
}

bool is_loopback_url(std::string_view url) {
  url.remove_prefix(scheme_of(url).size());
  url = url.substr(0, url.find('/'));
  std::string host(url.substr(0, url.find(':', url.find(']') + 1)));
  std::ranges::transform(host, host.begin(), small);
  if (host == "localhost") return true;
  constexpr unsigned char kLoopbackNet = 127;
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1)
    return *reinterpret_cast<const unsigned char*>(&four) == kLoopbackNet;
  if (!host.starts_with('[')) return false;
  host = host.substr(1, host.size() - 2);
  in6_addr six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six) != 1) return false;
  constexpr std::size_t kMappedBytes = 12;  // before the IPv4 address
  return IN6_IS_ADDR_LOOPBACK(&six) ||
         (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[kMappedBytes] == kLoopbackNet);
}

}  // namespace rsd
