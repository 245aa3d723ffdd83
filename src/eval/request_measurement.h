// All settings on one request.
#pragma once

#include <vector>

#include "rsd/core/result.h"
#include "rsd/eval/evaluation.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"
#include "rsd/rank/request.h"

namespace rsd {

// `request` in the file's order, with the labels in force. Fails where opening it or one of the
// decodings does; the setting is told.
Result<RequestRecord> measure(const Request& request, const EvaluationOptions& options,
                              const std::vector<Setting>& settings);

}  // namespace rsd
