// Answers of an earlier run, as drafts of this one.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"

namespace rsd {

class PreviousAnswers {
 public:
  // Reads JSON lines as `rsd rank` writes them; of two answers to one request the later counts.
  // kNotFound; kInvalidInput, with file and line: a line that is not an answer.
  static Result<PreviousAnswers> read(const std::string& path);

  // The candidates in the order of the answer, followed by those that it lacks, in the input's
  // order. nullopt without an answer that ranks any of them.
  std::optional<Ranking> draft_for(const Request& request) const;

 private:
  std::unordered_map<std::string, std::vector<std::string>> rankings_;  // by request
};

}  // namespace rsd
