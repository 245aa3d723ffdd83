#include "prompt/cuttable_text.h"

#include <algorithm>
#include <utility>

namespace rsd {
std::string_view first_bytes(std::string_view text, std::size_t max_bytes) {
  if (max_bytes >= text.size()) return text;
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0U) == 0x80U)
    --max_bytes;
  return text.substr(0, max_bytes);
}

std::string_view within_reach(std::string_view text, std::size_t max_tokens) {
  if (max_tokens > text.size() / kReachedBytesPerToken) return text;
  return first_bytes(text, max_tokens * kReachedBytesPerToken);
}

CuttableText::CuttableText(const Tokenizer& tokenizer, std::string text) : text_(std::move(text)) {
  std::size_t bytes = 0;
  for (const TokenId token : tokenizer.encode_text(text_)) {
    bytes = std::min(bytes + tokenizer.piece(token).size(), text_.size());
    ends_.push_back(bytes);
  }
}

std::string CuttableText::first(std::size_t n_tokens) const {
  if (n_tokens >= ends_.size()) return text_;
  const std::size_t end = n_tokens == 0 ? 0 : ends_[n_tokens - 1];
  return std::string(first_bytes(text_, end));
}

bool cut_text(std::string& text, const Tokenizer& tokenizer, std::size_t max_tokens) {
  if (text.size() <= max_tokens) return false;  // a token has at least one byte
  const std::string_view reached = within_reach(text, max_tokens);
  const CuttableText cuttable(tokenizer, std::string(reached));
  if (cuttable.n_tokens() <= max_tokens && reached.size() == text.size()) return false;
  text = cuttable.first(max_tokens);
  return true;
}

}  // namespace rsd
