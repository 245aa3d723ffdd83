// Checks of the values of options; their messages say what is allowed.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace rsd::cli {

// The limit of flags that count, where nothing else limits them.
inline constexpr std::uint64_t kMaxCount = 1'000'000;
// Of --max-tokens-per-doc.
inline constexpr std::uint64_t kMaxTextTokens = 1'000'000'000;

// Decimal digits, with a sign where `min` is negative; the parser itself would take -1 for 2^64
// - 1.
CLI::Validator whole_number(std::int64_t min, std::uint64_t max);
// A finite number above 0, at most `max`.
CLI::Validator positive_number(double max);
// A number from 0 to `max`.
CLI::Validator number_up_to(double max);
// A path that a script left empty is an error, not the default.
CLI::Validator not_empty();
CLI::Validator one_of(const std::vector<std::string>& names);

}  // namespace rsd::cli
