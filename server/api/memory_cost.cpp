#include "server/api/memory_cost.h"

namespace rsd::server {

std::size_t memory_of_parsing(std::string_view body) {
  constexpr std::size_t kTexts = 12;    // copies of the text, and 4 bytes a token, of a byte each
  constexpr std::size_t kElement = 48;  // 16, thrice: an array grows, and is taken apart
  constexpr std::size_t kContainer = 112;  // an element with a map or a vector
  constexpr std::size_t kMember = 112;     // a map's node with its name
  constexpr std::size_t kQuote = 24;       // half of a string
  std::size_t bytes = kTexts * body.size();
  for (const char c : body) {
    if (c == ',') bytes += kElement;
    if (c == '[' || c == '{') bytes += kContainer;
    if (c == ':') bytes += kMember;
    if (c == '"') bytes += kQuote;
  }
  return bytes;
}

std::size_t memory_of_logits(std::size_t n_logits) {
  constexpr std::size_t kLogit = 112;  // 16 of JSON, twice while it grows; 20 of text, four times
  return kLogit * n_logits;
}

}  // namespace rsd::server
