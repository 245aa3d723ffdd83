// JSON shared by the protocols: writing numbers, and checks of answers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "remote/json_answer.h"
#include "remote/protocol.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

// Written by hand for speed: a body consists mostly of thousands of numbers.
template <class Kind>
void append_numbers(std::string& text, std::span<const Index<Kind>> numbers) {
  text += '[';
  for (std::size_t n = 0; n < numbers.size(); ++n) {
    if (n > 0) text += ',';
    text += std::to_string(numbers[n].value());
  }
  text += ']';
}

std::string json_string(std::string_view text);
// After others; nothing where the value is empty.
void append_member(std::string& text, std::string_view name, std::string_view value);

// A kRuntime error "the answer …".
Error bad_answer(const std::string& what);
// Parses an answer that must be a JSON object.
Result<JsonAnswer> parse_answer(std::string_view answer);

// Item indices by identifier token.
using SlotOf = std::unordered_map<std::size_t, std::size_t>;
SlotOf slots_of(std::span<const IdentifierToken> identifiers);

Result<void> check_finite(const LogitMatrix& rows);

}  // namespace rsd
