// What a request asks, as a key by which training and validation are kept apart.
#pragma once

#include <string>
#include <string_view>

#include "rsd/rank/request.h"

namespace rsd {

// What a request asks, as a digest: requests that ask the same must not stand on both sides of a
// split. Equal for the same query, however it is spaced or capitalised (ASCII), and for histories
// that begin with the same title, since a user's later requests have longer histories. Neither the
// id nor the candidates count, so pieces of a list and its windows go with it.
std::string split_key(const Request& request);

// In place of the above where only the id is known (traces of older versions). Of the id's parts
// between slashes the last one that isn't a number, without a piece's "-s<number>" at its end:
// "test/q7-s1", "q7/3" and "q7" give the same. It takes rather too many together than too few.
std::string split_key_of_id(std::string_view id);

}  // namespace rsd
