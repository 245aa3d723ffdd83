// Measures all settings on one request.
#pragma once

#include <vector>

#include "rsd/core/result.h"
#include "rsd/eval/evaluation.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"
#include "rsd/rank/request.h"

namespace rsd {

// `request` is in the file's order and has the labels in force. Fails if opening it or one of the
// decodings fails; the message names the setting.
Result<RequestRecord> measure(const Request& request, const EvaluationOptions& options,
                              const std::vector<Setting>& settings);

}  // namespace rsd
