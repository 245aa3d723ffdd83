#include "rsd/prompt/identifiers.h"

#include <unordered_set>

namespace rsd {
namespace {

void append_utf8(std::string& out, char32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else {  // two bytes are enough for Greek and Cyrillic
    out += static_cast<char>(0xC0 | (code_point >> 6));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

void append_letters(std::vector<std::string>& out, char32_t first, char32_t last) {
  for (char32_t letter = first; letter <= last; ++letter) {
    if (letter == 0x3A2) continue;  // unassigned: there is no capital final sigma
    append_utf8(out.emplace_back(), letter);
  }
}

bool starts_with(const std::vector<TokenId>& tokens, const std::vector<TokenId>& start) {
  return tokens.size() >= start.size() && std::equal(start.begin(), start.end(), tokens.begin());
}

// The strings "<lead><letters>" that are single tokens after `answer` and after each other.
Identifiers find_style(const Tokenizer& tokenizer, const std::string& answer,
                       const std::string& lead, std::size_t limit) {
  Identifiers found;
  std::unordered_set<IdentifierToken> taken;
  const auto before = tokenizer.encode_text(answer);
  for (const auto& letters : identifier_alphabet()) {
    if (found.size() == limit) break;
    const std::string text = lead + letters;
    const auto tokens = tokenizer.encode_text(answer + text);
    if (tokens.size() != before.size() + 1 || !starts_with(tokens, before)) continue;
    if (!found.texts.empty()) {
      const auto pair = tokenizer.encode_text(answer + found.texts.front() + text);
      if (pair.size() != before.size() + 2 || pair.back() != tokens.back()) continue;
    }
    const IdentifierToken token(tokens.back().value());
    if (!taken.insert(token).second) continue;
    found.tokens.push_back(token);
    found.texts.push_back(text);
  }
  return found;
}

}  // namespace

std::vector<std::string> identifier_alphabet() {
  std::vector<std::string> alphabet;
  append_letters(alphabet, U'A', U'Z');
  append_letters(alphabet, U'a', U'z');
  append_letters(alphabet, 0x391, 0x3A9);  // Greek capitals
  append_letters(alphabet, 0x3B1, 0x3C9);  // and small letters
  append_letters(alphabet, 0x410, 0x44F);  // Cyrillic, capital and small
  for (char first = 'A'; first <= 'Z'; ++first) {
    for (char second = 'A'; second <= 'Z'; ++second)
      alphabet.push_back({first, second});
  }
  return alphabet;
}

Identifiers find_identifiers(const Tokenizer& tokenizer, std::string_view answer,
                             std::size_t limit) {
  Identifiers spaced = find_style(tokenizer, std::string(answer), " ", limit);
  if (spaced.size() == limit) return spaced;
  Identifiers bare = find_style(tokenizer, std::string(answer), "", limit);
  return bare.size() > spaced.size() ? bare : spaced;
}

}  // namespace rsd
