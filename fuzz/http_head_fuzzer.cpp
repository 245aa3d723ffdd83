// The head of an HTTP request: where the request ends, and what the HTTP library sees of it.
#include <string>

#include "fuzz/target.h"
#include "server/http/request_head.h"

namespace rsd::fuzz {
namespace {

using server::framing_fault;
using server::is_chunked;
using server::plain_head;

// CR and LF stand at ends of lines only, and together.
bool has_clean_lines(std::string_view head) {
  for (std::size_t at = 0; at < head.size(); ++at) {
    if (head[at] == '\r' && !head.substr(at).starts_with("\r\n")) return false;
    if (head[at] == '\n' && (at == 0 || head[at - 1] != '\r')) return false;
  }
  return true;
}

}  // namespace

void take_input(std::string_view input) {
  const auto fault = framing_fault(input);
  const std::string plain = plain_head(input);
  (void)is_chunked(input);
  if (fault) {
    require_message(fault->message);
    require(fault->status == 400 || fault->status == 501, "a fault of framing is 400 or 501");
    return;
  }
  require(plain_head(plain) == plain, "a plain head is plain");
  if (!input.ends_with("\r\n\r\n") || input.find("\r\n\r\n") != input.size() - 4) return;
  require(!framing_fault(plain), "a plain head ends where the head ends");
  require(is_chunked(plain) == is_chunked(input), "a plain head has the same body");
  require(has_clean_lines(plain), "each line of a plain head ends as lines end");
  require(plain.find("\r\n\r\n") == plain.size() - 4, "a plain head has one end");
}

}  // namespace rsd::fuzz
