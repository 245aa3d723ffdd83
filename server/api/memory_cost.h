// What a call takes of the memory that all calls share.
#pragma once

#include <cstddef>
#include <string_view>

namespace rsd::server {

// Bytes, at most, that a body takes from when it is parsed until its answer is there: as JSON,
// which may take a hundred times its text, as requests, and as prompts. By one look over its
// characters.
std::size_t memory_of_parsing(std::string_view body);

// The same for so many logits of an answer's rounds: as numbers, as JSON and as text.
std::size_t memory_of_logits(std::size_t n_logits);

}  // namespace rsd::server
