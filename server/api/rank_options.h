// What a call may choose of RankOptions: by fields beside any shape, or by headers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/ranker/rank_options.h"
#include "server/api/json_body.h"
#include "server/http/call.h"

namespace rsd::server {

inline constexpr std::size_t kMaxCount = 1'000'000;  // of anything that a call chooses

// What is read takes the place of what `options` hold: the server's defaults, then a call's
// headers, then its fields.

// decoder, budget, deadline_ms, window, stride, window_method and cache_salt (which Broker makes a
// scope of), which every shape takes.
void read_common_options(Fields& fields, RankOptions& options);
// top_n, draft and policy, too.
void read_all_options(Fields& fields, RankOptions& options);
// X-RSD-Decoder, X-RSD-Budget and X-RSD-Deadline-Ms. kInvalidInput as for the fields.
Result<void> read_option_headers(const HeaderOf& header_of, RankOptions& options);

}  // namespace rsd::server
