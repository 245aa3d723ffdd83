// What a request asks, as a key by which training and validation are kept apart.
#pragma once

#include <string>
#include <string_view>

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

}  // namespace rsd
