#include "remote/replica_set.h"

#include <string_view>

namespace rsd {

Result<std::string> parse_replica_url(const std::string& text) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, "engine URL \"" + text + "\": " + why);
  };
  std::string_view rest = text;
  for (const std::string_view scheme : {"http://", "https://"})
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  if (rest.size() == text.size()) return refuse("it must begin with http:// or https://");
  const auto is_printable = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(rest, is_printable)) return refuse("it has characters of no URL");
  if (rest.find_first_of("?#") != std::string_view::npos)
    return refuse("it must end with the server or a path");
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.empty() || host.front() == ':') return refuse("it names no host");
  // The message must not repeat the password.
  if (host.find('@') != std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument,
                 "an engine URL must not hold a password; a key is given apart from it");
  }
  std::string url = text;
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

}  // namespace rsd
