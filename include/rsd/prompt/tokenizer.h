// The interface of an LLM's tokenizer, as far as prompts need it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

// The tokens that the model's chat format puts around our texts.
struct ChatFrame {
  std::vector<TokenId> opening;  // before the system text, or before the user's where there is none
  std::vector<TokenId> between;  // from the system text to the user's; empty without a system text
  std::vector<TokenId> closing;  // after the user's text, up to the beginning of the model's answer
};

// Implementations are immutable: safe to share between threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The tokens of `text` in the middle of a prompt: no token is added at the beginning, and none is
  // special, whatever the text contains, since it is data. `text` is valid UTF-8.
  virtual std::vector<TokenId> encode_text(std::string_view text) const = 0;

  // The bytes that the token stands for.
  virtual std::string piece(TokenId token) const = 0;

  // The model's own chat format, or only line breaks if it has none or an unknown one.
  virtual ChatFrame chat_frame(bool with_system_text) const = 0;
};

}  // namespace rsd
