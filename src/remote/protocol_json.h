// What the protocols have in common: numbers into JSON, and strict looks at what comes back.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

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

// kRuntime: "the answer …".
Error bad_answer(const std::string& what);
Result<nlohmann::json> parse_answer(std::string_view answer);
// The member of that name, where `object` is one that has it; else nullptr.
const nlohmann::json* member(const nlohmann::json& object, const char* name);
std::optional<std::size_t> whole_number(const nlohmann::json* value);
// A finite number that a float can hold.
std::optional<float> finite_number(const nlohmann::json* value);
Result<void> check_finite(const LogitMatrix& rows);

}  // namespace rsd
