// The order in which a request's candidates are shown to the LLM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/rank/request.h"

namespace rsd {

// A random generator for one request: the same sequence for the same (seed, id) on every machine.
std::mt19937_64 request_generator(std::uint64_t seed, std::string_view request_id);

// Fisher and Yates' shuffle. Written here because std::shuffle differs between standard libraries.
void shuffle(std::vector<std::size_t>& order, std::mt19937_64& generator);

// Element i is the file's index of the candidate that is presented as item i; the file's order
// without a seed.
std::vector<std::size_t> presentation_order(const Request& request,
                                            std::optional<std::uint64_t> seed);

// The request with only the candidates in `order`, in that order.
Request presented(const Request& request, const std::vector<std::size_t>& order);
Request presented(const Request& request, std::span<const ItemId> order);

// The candidates with a text that is not blank, in the request's order. Blank candidates are always
// ranked last.
std::vector<ItemId> items_with_text(const Request& request);
// The request without its blank candidates, for comparisons of an LLM's rankings.
Request without_blank_candidates(const Request& request);

// A digest of everything that a record depends on: id, texts and labels.
std::string request_digest(const Request& request);
// A digest of the ranked content alone, without the labels.
std::string content_digest(const Request& request);

}  // namespace rsd
