// Whose pages may call, by the headers Host and Origin.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rsd::server {

// A page of any site can make a browser call this machine, and a site can give its own name this
// machine's address (DNS rebinding). The browser states by which name it called (Host), and where
// the page is from (Origin). Immutable.
class HostCheck {
 public:
  // `bound_to` is the host that the server listens on. `allowed` are names without a port; "*" is
  // any. Without them a server on loopback has the names of loopback and its own, another any.
  HostCheck(std::string bound_to, const std::vector<std::string>& allowed);

  // May a server be called by that Host?
  bool takes_host(std::string_view host) const;
  // May a page from there? Its own pages may, those of the host that was called, and those of the
  // hosts that were named.
  bool takes_origin(std::string_view origin, std::string_view host) const;

 private:
  std::string bound_to_;
  std::vector<std::string> allowed_;
  bool takes_any_ = false;
};

// What is wrong with a body's type; nothing where it is JSON's. Browsers let pages of other sites
// send the types of forms, and plain text, without asking; not so JSON.
std::optional<std::string> fault_of_type(std::string_view content_type);

}  // namespace rsd::server
