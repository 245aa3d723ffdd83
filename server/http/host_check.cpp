#include "server/http/host_check.h"

#include <algorithm>
#include <utility>

#include "rsd/core/shown_text.h"
#include "server/http/client_address.h"
#include "server/http/words.h"

namespace rsd::server {
namespace {

// "localhost:8080" -> "localhost", "[::1]:80" -> "::1".
std::string_view name_of(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  std::string_view name = host.substr(0, host.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool is_loopback_name(std::string_view name) {
  constexpr std::string_view kBelow = ".localhost";  // which is loopback, too (RFC 6761)
  const bool is_below =
      name.size() > kBelow.size() && same_word(name.substr(name.size() - kBelow.size()), kBelow);
  if (same_word(name, "localhost") || is_below || name == "::1") return true;
  const bool is_address = name.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_address && is_loopback(std::string(name));
}

// "name:port" of "https://name:port"; empty if it is no URL, such as "null".
std::string_view authority_of(std::string_view origin) {
  const std::size_t at = origin.find("://");
  if (at == std::string_view::npos) return {};
  origin.remove_prefix(at + 3);
  return origin.substr(0, origin.find_first_of("/?#"));
}

}  // namespace

HostCheck::HostCheck(std::string bound_to, const std::vector<std::string>& allowed)
    : bound_to_(std::move(bound_to)) {
  for (const std::string& name : allowed)
    allowed_.emplace_back(name_of(name));
  const bool is_named = std::ranges::find(allowed, "*") != allowed.end();
  takes_any_ = is_named || (allowed.empty() && !is_loopback_name(bound_to_));
}

bool HostCheck::takes_host(std::string_view host) const {
  if (takes_any_) return true;
  const std::string_view name = name_of(host);
  const auto is_it = [&](std::string_view other) { return same_word(name, other); };
  if (!allowed_.empty()) return std::ranges::any_of(allowed_, is_it);
  return is_loopback_name(name) || is_it(bound_to_);
}

bool HostCheck::takes_origin(std::string_view origin, std::string_view host) const {
  const std::string_view authority = authority_of(origin);
  if (authority.empty()) return false;
  const auto is_it = [&](std::string_view other) { return same_word(name_of(authority), other); };
  return same_word(authority, host) || std::ranges::any_of(allowed_, is_it);
}

std::optional<std::string> fault_of_type(std::string_view content_type) {
  const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')), " \t");
  constexpr std::string_view kApplication = "application/";
  constexpr std::string_view kSuffix = "+json";
  const bool is_kind = same_word(type.substr(0, kApplication.size()), kApplication) &&
                       type.size() > kApplication.size() + kSuffix.size() &&
                       same_word(type.substr(type.size() - kSuffix.size()), kSuffix);
  if (same_word(type, "application/json") || is_kind) return std::nullopt;
  constexpr std::size_t kShownTypeChars = 60;
  return "Content-Type is \"" + shown_text(type, kShownTypeChars, Letters::kAscii) +
         "\"; it must be application/json (with curl: -H 'Content-Type: application/json')";
}

}  // namespace rsd::server
