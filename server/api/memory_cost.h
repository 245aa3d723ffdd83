// What a call takes of the memory that all calls share.
#pragma once

#include <cstddef>
#include <string_view>

namespace rsd::server {

// An upper bound for the bytes that a body takes until its answer is there: as JSON, which can be a
// hundred times the text, as requests, and as prompts. Linear in the body's length.
std::size_t memory_of_parsing(std::string_view body);

// The same for the logits of an answer's rounds: as numbers, as JSON and as text.
std::size_t memory_of_logits(std::size_t n_logits);

}  // namespace rsd::server
