// What a program hands in, checked and copied.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bindings/c/rsd.h"
#include "rsd/core/result.h"
#include "rsd/rank/request.h"
#include "rsd/ranker/rank_options.h"

namespace rsd::bindings {

inline constexpr std::size_t kMaxCandidates = 10'000;
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20U;
inline constexpr std::size_t kMaxNumber = 2'147'483'647;

// A string that may be NULL, which is the empty one. kInvalidInput: longer than kMaxTextBytes.
Result<std::string> given_string(const char* text, const std::string& name);
// kInvalidArgument: above kMaxNumber, such as a negative number that became a size_t.
Result<std::size_t> given_number(std::size_t number, const char* name);
// The strings of an array. kInvalidArgument: NULL although n > 0, or one of them is NULL.
Result<std::vector<std::string>> given_strings(const char* const* strings, std::size_t n,
                                               const char* name);

struct GivenRequest {
  Request request;
  std::optional<Ranking> previous;  // RankOptions::previous
};

// kInvalidArgument: NULL, a struct's size, a number of candidates out of range; kInvalidInput: a
// text that is too long, or a `previous` that is not a permutation. Ranker::prepare checks the
// rest.
Result<GivenRequest> given_request(const rsd_request* request);

// NULL: the defaults. kInvalidArgument.
Result<RankOptions> given_rank_options(const rsd_rank_options* options);

}  // namespace rsd::bindings
