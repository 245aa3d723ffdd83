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

// A generator for one request: equal for equal (seed, id), on every machine.
std::mt19937_64 request_generator(std::uint64_t seed, std::string_view request_id);

// Fisher and Yates' shuffle, of our own since std::shuffle differs between standard libraries.
void shuffle(std::vector<std::size_t>& order, std::mt19937_64& generator);

// Element i is the file's index of the candidate that is presented as item i; the file's order
// without a seed.
std::vector<std::size_t> presentation_order(const Request& request,
                                            std::optional<std::uint64_t> seed);

// The request with these of its candidates, in that order; the others are not copied.
Request presented(const Request& request, const std::vector<std::size_t>& order);
Request presented(const Request& request, std::span<const ItemId> order);

// The candidates that have something to read: the others are ranked last, whatever ranks. In the
// request's order.
std::vector<ItemId> items_with_text(const Request& request);
// The request without its blank candidates, for what compares rankings of an LLM.
Request without_blank_candidates(const Request& request);

// Of everything that a record depends on: id, texts, and the labels in force.
std::string request_digest(const Request& request);
// Of what is ranked alone, without the labels.
std::string content_digest(const Request& request);

}  // namespace rsd
