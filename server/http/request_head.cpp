#include "server/http/request_head.h"

#include <algorithm>
#include <string>
#include <vector>

#include "server/http/words.h"

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

bool fits_request_line(char c) {
  return static_cast<unsigned char>(c) >= ' ' && c != '\x7F';
}

// nullopt also for a line that continues the one above it: it has no name.
std::optional<Header> header_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  const Header header{.name = line.substr(0, colon),
                      .value = trimmed(line.substr(colon + 1), " \t")};
  if (!std::ranges::all_of(header.name, fits_name)) return std::nullopt;
  if (!std::ranges::all_of(header.value, fits_value)) return std::nullopt;
  return header;
}

// The headers in the lines after the first; nullopt if one of them isn't a header, or the first has
// control characters, which others may take for a line's end.
std::optional<std::vector<Header>> headers_of(std::string_view head) {
  std::vector<Header> headers;
  const std::size_t line_end = std::min(head.find(kLineEnd), head.size());
  if (!std::ranges::all_of(head.substr(0, line_end), fits_request_line)) return std::nullopt;
  for (std::size_t at = line_end + kLineEnd.size(); at < head.size();) {
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

constexpr std::size_t kLongestLine = 8192 - kLineEnd.size();  // httplib's

// A target is a path and what follows it; `host` is empty if it names none.
struct Target {
  std::string_view host;
  std::string_view path;
  std::string_view rest;  // query and fragment
};

Target target_of(std::string_view target) {
  Target parts;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_word(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    parts.host = target.substr(0, target.find_first_of("/?#"));
    target.remove_prefix(parts.host.size());
    break;
  }
  parts.path = target.substr(0, target.find_first_of("?#"));
  parts.rest = target.substr(parts.path.size());
  return parts;
}

// One slash for many, none at the end.
std::string plain_path(std::string_view path) {
  std::string plain;
  for (const char c : path)
    if (c != '/' || !plain.ends_with('/')) plain += c;
  if (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  return plain;
}

// The request line, its three parts separated by single spaces; nullopt: it isn't one.
std::optional<std::string> plain_line(std::string_view line, std::string& host) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == last || line.find(' ', first + 1) != last) return std::nullopt;
  const Target target = target_of(line.substr(first + 1, last - first - 1));
  host = target.host;
  if (!target.path.starts_with('/') && host.empty()) return std::nullopt;  // "*"
  const std::string path = target.path.empty() ? "/" : plain_path(target.path);
  return std::string(line.substr(0, first + 1)) + path + std::string(target.rest) +
         std::string(line.substr(last));
}

// The value of Connection, in the letter case that httplib looks for.
std::string connection_value(std::string_view value) {
  std::string plain;
  for (std::size_t at = 0; at <= value.size();) {
    const std::size_t end = std::min(value.find(',', at), value.size());
    const std::string_view word = trimmed(value.substr(at, end - at), " \t");
    if (same_word(word, "close")) return "close";
    if (same_word(word, "keep-alive")) plain = "Keep-Alive";
    at = end + 1;
  }
  return plain.empty() ? std::string(value) : plain;
}

std::string plain_header(const Header& header) {
  std::string line(header.name);
  line += ": ";
  line += same_word(header.name, "Connection") ? connection_value(header.value)
                                               : std::string(header.value);
  if (line.size() > kLongestLine) line.resize(kLongestLine);
  return line;
}

}  // namespace

bool is_chunked(std::string_view head) {
  const auto headers = headers_of(head);
  return headers && !values_of(*headers, "Transfer-Encoding").empty();
}

std::string plain_head(std::string_view head) {
  const auto headers = headers_of(head);
  const std::size_t end = head.find(kLineEnd);
  std::string host;
  const auto line = plain_line(head.substr(0, end), host);
  if (!headers || end == std::string_view::npos) return std::string(head);
  std::string plain = line.value_or(std::string(head.substr(0, end)));
  plain += kLineEnd;
  if (!host.empty()) plain += "Host: " + host + std::string(kLineEnd);
  for (const Header& header : *headers) {
    if (same_word(header.name, "Range")) continue;
    if (!host.empty() && same_word(header.name, "Host")) continue;
    plain += plain_header(header);
    plain += kLineEnd;
  }
  return plain + std::string(kLineEnd);
}

std::optional<Failure> framing_fault(std::string_view head) {
  const auto headers = headers_of(head);
  if (!headers) return malformed("a line of its head is no request line and no header");
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
