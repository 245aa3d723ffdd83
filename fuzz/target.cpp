#include "fuzz/target.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "rsd/core/utf8.h"

namespace rsd::fuzz {

void require(bool is_kept, std::string_view promise) {
  if (is_kept) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

void require_message(const std::string& message) {
  require(!message.empty(), "an error has a message");
  require(!find_invalid_utf8(message), "a message is valid UTF-8");
}

std::vector<std::string_view> parts_of(std::string_view input, std::size_t n_parts) {
  std::vector<std::string_view> parts(n_parts);
  for (std::size_t n = 0; n < n_parts; ++n) {
    const bool is_last = n + 1 == n_parts;
    parts[n] = is_last ? input : input.substr(0, input.find(kBetweenParts));
    input.remove_prefix(parts[n].size());
    if (input.starts_with(kBetweenParts)) input.remove_prefix(1);
  }
  return parts;
}

}  // namespace rsd::fuzz

// libFuzzer's name for a target; the replay of committed inputs calls it, too.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rsd::fuzz::take_input({reinterpret_cast<const char*>(data), size});
  return 0;
}
