// Identifiers: one token per candidate, the same in the prompt and in the answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// `texts[i]` is the text of `tokens[i]`, including its leading space if it has one.
struct Identifiers {
  std::vector<IdentifierToken> tokens;
  std::vector<std::string> texts;

  std::size_t size() const noexcept { return tokens.size(); }
};

// The candidate identifier strings, in the order in which they are tried: A-Z, a-z, Greek,
// Cyrillic, then pairs of Latin capitals.
std::vector<std::string> identifier_alphabet();

// The first `limit` strings of the alphabet that become one distinct token each in both contexts of
// their use: directly after `answer`, and after another identifier. Both styles are tried, with a
// leading space inside the token (" A"; the usual case) and bare; the style that yields more
// identifiers is taken, on a tie the former. May return fewer than `limit`, or none.
Identifiers find_identifiers(const Tokenizer& tokenizer, std::string_view answer,
                             std::size_t limit);

}  // namespace rsd
