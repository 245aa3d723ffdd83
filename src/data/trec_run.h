// Runs: which documents were retrieved for each topic.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/error.h"
#include "rsd/core/result.h"

namespace rsd {

struct Retrieved {
  std::string document;
  std::optional<double> score;
  long rank = 0;
  std::size_t line = 0;  // of the run
};

struct RetrievedTopic {
  std::string id;
  std::vector<Retrieved> documents;  // best first
  std::optional<Error> fault;        // the first of its lines that can't be used
};

// Topics in the order of the file, with their first `depth` documents. The errors of
// trec_request_lines (rsd/data/trec_requests.h).
Result<std::vector<RetrievedTopic>> read_run(const std::string& path,
                                             std::optional<std::size_t> depth);

}  // namespace rsd
