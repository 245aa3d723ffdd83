// What the protocols have in common: numbers into JSON, and looks at what comes back.
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

// Written by hand: a body is little else than thousands of these.
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

// kRuntime: "the answer …".
Error bad_answer(const std::string& what);
// A JSON object.
Result<JsonAnswer> parse_answer(std::string_view answer);

// Items by their identifier's token.
using SlotOf = std::unordered_map<std::size_t, std::size_t>;
SlotOf slots_of(std::span<const IdentifierToken> identifiers);

Result<void> check_finite(const LogitMatrix& rows);

}  // namespace rsd
