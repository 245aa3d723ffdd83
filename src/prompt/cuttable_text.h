// Texts that can be cut to a number of tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Of at most so many bytes; characters stay whole.
std::string_view first_bytes(std::string_view text, std::size_t max_bytes);

// A token rarely stands for more than a few bytes.
inline constexpr std::size_t kReachedBytesPerToken = 16;

// The beginning of `text` that may still matter to whoever reads at most `max_tokens` tokens of it:
// a huge text costs no more to tokenise than a long one.
std::string_view within_reach(std::string_view text, std::size_t max_tokens);

// Valid UTF-8 that can be cut behind any of its tokens.
class CuttableText {
 public:
  // Tokenises all of the text.
  CuttableText(const Tokenizer& tokenizer, std::string text);

  std::size_t n_tokens() const noexcept { return ends_.size(); }
  // Its first tokens, less a character that is cut in two.
  std::string first(std::size_t n_tokens) const;

 private:
  std::string text_;
  std::vector<std::size_t> ends_;  // by token: the byte offset behind it
};

// Cuts `text` to its first `max_tokens` tokens. False: it has no more.
bool cut_text(std::string& text, const Tokenizer& tokenizer, std::size_t max_tokens);

}  // namespace rsd
