// What the fuzz targets share. A target is one take_input(); docs/fuzzing.md describes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd::fuzz {

// The target: gives `input` to a reader of rsd, and checks what comes of it. A promise that the
// reader breaks ends the process, by require() or by an exception that nobody catches.
void take_input(std::string_view input);

// Ends the process if the promise isn't kept, with it on standard error.
void require(bool is_kept, std::string_view promise);

// Every error has a message, which is valid UTF-8.
void require_message(const std::string& message);

// True if it is a value; requires the message of an error.
template <class T>
bool is_value(const Result<T>& result) {
  if (!result) require_message(result.error().message());
  return result.ok();
}

// Inputs of several texts have this character between them: it is in no JSON, and rarely in
// another text.
inline constexpr char kBetweenParts = '\x1E';

// The input's parts, of which the last has all that is left; missing ones are empty.
std::vector<std::string_view> parts_of(std::string_view input, std::size_t n_parts);

}  // namespace rsd::fuzz
