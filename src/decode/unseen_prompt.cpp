#include "decode/unseen_prompt.h"

#include <algorithm>
#include <string>

namespace rsd {

std::vector<TokenId> unseen_prompt(const LlmEngine& llm, std::size_t n_tokens) {
  std::string text = std::to_string(Clock::now().time_since_epoch().count());
  for (std::size_t n = 0; n < n_tokens; ++n)
    text += " and";
  auto tokens = llm.tokenizer()->encode_text(text);
  tokens.resize(std::min({n_tokens, tokens.size(), llm.context_size() / 2}));
  return tokens;
}

}  // namespace rsd
