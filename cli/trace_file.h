// From a decoding to its trace.
#pragma once

#include "rsd/data/trace.h"
#include "rsd/decode/decoding.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

Trace trace_of(const Request& request, const Decoding& decoding, const Ranking& answer);

}  // namespace rsd::cli
