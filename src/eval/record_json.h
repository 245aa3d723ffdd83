// Converts a request's record to one line of JSON, and back.
//
//   {"id", "digest", "order": […], "grades": [… | null] | null, "judged": […] | null,
//    "truncated_candidates", "settings": [{"setting", "ranking": […], "encodings",
//    "tokens_encoded", "verified_prefix", "timing_ms": {"prefill", "decode", "agent", "total"},
//    "difference": {"position", "margin"} | null}]}
//
// Numbers keep all digits, so figures computed from a file equal those computed from memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"

namespace rsd {

std::string record_to_json(const RequestRecord& record, const std::vector<Setting>& settings);

// The line of a failed request: {"id", "error": {"code", "message"}}.
std::string failure_to_json(const FailedRequest& failure);

// Parses a line; nullopt for the line of a failed request. kInvalidInput for anything that the two
// functions above don't write.
Result<std::optional<RequestRecord>> record_from_json(std::string_view line,
                                                      const std::vector<Setting>& settings);

}  // namespace rsd
