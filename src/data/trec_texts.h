// Reads topics and documents from TREC-style files.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "data/by_id.h"
#include "data/document.h"
#include "rsd/core/result.h"

namespace rsd {

// For the formats see rsd/data/trec_requests.h. kNotFound, kRuntime, and kInvalidInput for a file
// without any valid line; the error of an invalid line is returned when its id is requested.
Result<ById<std::string>> read_topics(const std::string& path);
Result<ById<Document>> read_documents(const std::vector<std::string>& paths,
                                      const std::unordered_set<std::string>& wanted);

}  // namespace rsd
