// Finds the identifiers of a tokenizer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/prompt/prompt.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

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
