#include "request_head.h"

#include <algorithm>
#include <string>
#include <vector>

#include "words.h"

namespace rsd::server {
namespace {

struct Header {
  std::string_view name;
  std::string_view value;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool fits_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool fits_value(char c) {
  return c != '\0' && c != '\r' && c != '\n';
}

// A line that continues the one above it has no name, either.
std::optional<Header> header_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  const Header header{.name = line.substr(0, colon),
                      .value = trimmed(line.substr(colon + 1), " \t")};
  if (!std::ranges::all_of(header.name, fits_name)) return std::nullopt;
  if (!std::ranges::all_of(header.value, fits_value)) return std::nullopt;
  return header;
}

// Of the lines behind the first; nullopt where one of them isn't a header.
std::optional<std::vector<Header>> headers_of(std::string_view head) {
  constexpr std::string_view kLineEnd = "\r\n";
  std::vector<Header> headers;
  for (std::size_t at = head.find('\n') + 1; at < head.size();) {
    const std::size_t end = head.find(kLineEnd, at);
    if (end == std::string_view::npos) return std::nullopt;
    if (end == at) break;
    const auto header = header_of(head.substr(at, end - at));
    if (!header) return std::nullopt;
    headers.push_back(*header);
    at = end + kLineEnd.size();
  }
  return headers;
}

std::vector<std::string_view> values_of(const std::vector<Header>& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const Header& header : headers)
    if (same_word(header.name, name)) values.push_back(header.value);
  return values;
}

Failure malformed(const std::string& what) {
  return {.status = 400, .message = "the request is malformed: " + what};
}

}  // namespace

std::optional<Failure> framing_fault(std::string_view head) {
  const auto headers = headers_of(head);
  if (!headers) return malformed("a line of its head is no header");
  const auto lengths = values_of(*headers, "Content-Length");
  const auto codings = values_of(*headers, "Transfer-Encoding");
  for (const std::string_view length : lengths) {
    if (length.empty() || !std::ranges::all_of(length, is_digit))
      return malformed("Content-Length is no number");
    if (length != lengths.front()) return malformed("it has two values of Content-Length");
  }
  if (codings.empty()) return std::nullopt;
  if (!lengths.empty()) return malformed("it has both Content-Length and Transfer-Encoding");
  if (codings.size() > 1 || !same_word(codings.front(), "chunked"))
    return Failure{.status = 501, .message = "Transfer-Encoding may only be chunked"};
  return std::nullopt;
}

}  // namespace rsd::server
