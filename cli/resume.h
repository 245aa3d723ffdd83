// What an interrupted `rsd rank --output` left behind.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>

#include "conditions.h"
#include "rsd/core/result.h"
#include "rsd/data/answer_writer.h"

namespace rsd::cli {

struct Kept {
  std::string text;                     // whole answers, as they stand in the file
  std::unordered_set<std::string> ids;  // of their requests
};

// The output that is to be resumed, and what makes it now.
struct ResumedOutput {
  std::string path;
  AnswerFormat format = AnswerFormat::kJsonl;
  std::string decoder;
  std::optional<std::size_t> budget;
  Conditions conditions;
};

// Reads "<path>.partial", or `path` where there is none, or nothing where neither is there. What
// was half written is dropped: a line without its end, and of a TREC run the last request, whose
// lines may be incomplete. kInvalidArgument when the answers come from another decoder or budget,
// or the format is a table; kInvalidInput when the file is no such output.
// Also kInvalidArgument: the partial file was made under other conditions.
Result<Kept> read_kept(const ResumedOutput& output);

// What an unfinished output depends on is kept beside it until it is complete: answers don't tell
// which model made them.
Result<void> write_conditions(const std::string& path, const Conditions& conditions);
void remove_conditions(const std::string& path);

}  // namespace rsd::cli
