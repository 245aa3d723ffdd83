// Chooses the requests that are held out for validation.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/rank/request.h"

namespace rsd {

// A digest of the query or user: requests with equal keys must not be on both sides of a split.
// Equal for the same query, however it is spaced or capitalised (ASCII), and for histories that
// begin with the same title, since a user's later requests have longer histories. Id and candidates
// do not count, so a list, its pieces and its windows have the same key.
std::string split_key(const Request& request);

// The key if only the id is known (traces of older versions): the last part of the id between
// slashes that isn't a number, without a piece's suffix "-s<number>". "test/q7-s1", "q7/3" and "q7"
// have the same key. It errs towards equal keys.
std::string split_key_of_id(std::string_view id);

// Indices into the keys that were split, ascending.
struct HoldOut {
  std::vector<std::size_t> training;
  std::vector<std::size_t> held_out;
};

// Holds out about an eighth of all keys. Each key is decided on its own, so the two stages of a
// training hold out the same requests, whatever their files, limits, windows and seeds, and the
// supervised initialisation has not seen what RPO validates on. Equal keys are on the same side.
// With few keys, none or all may be held out.
HoldOut hold_out(std::span<const std::string> keys);

}  // namespace rsd
