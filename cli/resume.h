// The output of `rsd rank`, which a later run can go on with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "conditions.h"
#include "output_file.h"
#include "rsd/core/result.h"
#include "rsd/data/answer_writer.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

// What an earlier run left.
struct Kept {
  std::string notes;  // as they stand beside the file, of the answers below
  std::string text;   // whole answers, as they stand in the file
  std::unordered_map<std::string, std::string> requests;  // by id: content_digest
  bool is_interrupted = false;                            // it stands in "<path>.partial"
};

// Reads "<path>.partial", or `path` where there is none, or nothing where neither is there. What
// was half written is dropped: a line without its end, and of a TREC run that was interrupted the
// last request, whose lines may be incomplete. kInvalidInput when the file is no such output, or
// what stands beside it is damaged.
// kInvalidArgument: the answers were made under other conditions than `now`, nothing is known of
// what made them, or the format is a table.
Result<Kept> read_kept(const std::string& path, AnswerFormat format, const Conditions& now);

// Answers, and beside them in "<path>.conditions" what made them: the conditions, and of each
// request that was answered a digest. Both appear when they are complete (OutputFile). Standard
// output and tables, which can't be resumed, have no conditions.
class ResumableOutput {
 public:
  // `kept` stands in front of what is written. Errors as OutputFile::open.
  static Result<ResumableOutput> open(const std::string& path, AnswerFormat format,
                                      const Conditions& conditions, const Kept& kept);

  Result<void> write(const Request& request, std::string_view answer);
  Result<void> commit();
  void discard();

  bool to_standard_output() const noexcept { return answers_.to_standard_output(); }

 private:
  ResumableOutput(OutputFile answers, std::optional<OutputFile> notes)
      : answers_(std::move(answers)), notes_(std::move(notes)) {}

  OutputFile answers_;
  std::optional<OutputFile> notes_;
};

}  // namespace rsd::cli
