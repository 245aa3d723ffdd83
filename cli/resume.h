// What an interrupted `rsd rank --output` left behind.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>

#include "rsd/core/result.h"
#include "rsd/data/answer_writer.h"

namespace rsd::cli {

struct Kept {
  std::string text;                     // whole answers, as they stand in the file
  std::unordered_set<std::string> ids;  // of their requests
};

// Reads "<path>.partial", or `path` where there is none, or nothing where neither is there. What
// was half written is dropped: a line without its end, and of a TREC run the last request, whose
// lines may be incomplete. kInvalidArgument when the answers come from another decoder or budget,
// or the format is a table; kInvalidInput when the file is no such output.
Result<Kept> read_kept(const std::string& path, AnswerFormat format, const std::string& decoder,
                       std::optional<std::size_t> budget);

}  // namespace rsd::cli
