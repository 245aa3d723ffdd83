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

// `texts[i]` is what `tokens[i]` reads like, its leading space included where it has one.
struct Identifiers {
  std::vector<IdentifierToken> tokens;
  std::vector<std::string> texts;

  std::size_t size() const noexcept { return tokens.size(); }
};

// The strings that are tried, in order: A-Z, a-z, Greek, Cyrillic, then pairs of Latin capitals.
std::vector<std::string> identifier_alphabet();

// The first `limit` strings of the alphabet that are one token each, distinct, where they are used:
// directly behind `answer`, and behind another identifier. Tried with a leading space inside the
// token first (" A"; the usual case), then bare; the style that yields more wins, ties go to the
// first. May hold fewer than `limit`, or none.
Identifiers find_identifiers(const Tokenizer& tokenizer, std::string_view answer,
                             std::size_t limit);

}  // namespace rsd
