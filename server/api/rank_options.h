// The RankOptions that a call may set, by fields of any shape or by headers.
#pragma once

#include <cstddef>

#include "rsd/core/result.h"
#include "rsd/ranker/rank_options.h"
#include "server/api/json_body.h"
#include "server/http/call.h"

namespace rsd::server {

inline constexpr std::size_t kMaxCount = 1'000'000;  // for any number that a call sets

// Each of these overwrites what it reads in `options`: fields win over headers, and headers over
// the server's defaults.

// decoder, budget, deadline_ms, window, stride, window_method, min_score and cache_salt (from which
// Broker makes a scope), which every shape has.
void read_common_options(Fields& fields, RankOptions& options);
// These, and top_n, draft and policy.
void read_all_options(Fields& fields, RankOptions& options);
// X-RSD-Decoder, X-RSD-Budget and X-RSD-Deadline-Ms. kInvalidInput as for the fields.
Result<void> read_option_headers(const HeaderOf& header_of, RankOptions& options);

}  // namespace rsd::server
