// Texts that can be cut to a number of tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/prompt/tokenizer.h"

namespace rsd {

// The longest beginning of at most `max_bytes` bytes that cuts no character.
std::string_view first_bytes(std::string_view text, std::size_t max_bytes);

// An upper estimate: a token rarely has more than a few bytes.
inline constexpr std::size_t kReachedBytesPerToken = 16;

// The beginning of `text` that is enough for its first `max_tokens` tokens, so that a huge text
// costs no more to tokenise than a long one.
std::string_view within_reach(std::string_view text, std::size_t max_tokens);

// A valid UTF-8 text that can be cut after any of its tokens.
class CuttableText {
 public:
  // Tokenises all of the text.
  CuttableText(const Tokenizer& tokenizer, std::string text);

  std::size_t n_tokens() const noexcept { return ends_.size(); }
  // The first `n_tokens` tokens, without a character that the cut would split.
  std::string first(std::size_t n_tokens) const;

 private:
  std::string text_;
  std::vector<std::size_t> ends_;  // by token: the byte offset of its end
};

// Cuts `text` to its first `max_tokens` tokens. Returns false if it has no more.
bool cut_text(std::string& text, const Tokenizer& tokenizer, std::size_t max_tokens);

}  // namespace rsd
