// Reads runs: the documents retrieved for each topic.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct Retrieved {
  std::string document;
  std::optional<double> score;
  double rank = 0;
  std::size_t line = 0;  // the line of the run
};

struct RetrievedTopic {
  std::string id;
  std::vector<Retrieved> documents;  // best first
  std::optional<Error> fault;        // the error of its first invalid line
};

// Returns the topics in the order of the file, with their first `depth` documents. Errors: see
// trec_request_lines (rsd/data/trec_requests.h).
Result<std::vector<RetrievedTopic>> read_run(const std::string& path,
                                             std::optional<std::size_t> depth);

}  // namespace rsd
