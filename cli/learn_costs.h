// What encodings cost here, before the first request.
#pragma once

#include "engine_options.h"
#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"

namespace rsd::cli {

// With deadlines, already the first request is to know what it can do in its time. Takes a few
// short passes of the LLM; no scorer may be open. Fails when the LLM does.
Result<void> learn_costs(Engine& engine, CostModel& costs);

}  // namespace rsd::cli
