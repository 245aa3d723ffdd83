// Topics and documents of the files that people evaluate retrieval with.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "data/by_id.h"
#include "data/document.h"
#include "rsd/core/result.h"

namespace rsd {

// Files as rsd/data/trec_requests.h has them. kNotFound, kRuntime, and kInvalidInput for a file
// that has nothing of use; a line that can't be used is told to whoever asks for it.
Result<ById<std::string>> read_topics(const std::string& path);
Result<ById<Document>> read_documents(const std::vector<std::string>& paths,
                                      const std::unordered_set<std::string>& wanted);

}  // namespace rsd
