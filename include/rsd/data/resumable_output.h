// Results that an interrupted run keeps and a later run continues: the file that they are
// written to, what they depend on, and both together for the answers of `rsd rank`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer_writer.h"
#include "rsd/rank/request.h"

namespace rsd {

// Results are appended to "<path>.partial" and flushed one by one, so that an interrupted run keeps
// what it has; commit() renames it to `path`. One thread at a time.
class OutputFile {
 public:
  // An empty path is standard output. `kept` is the text that an earlier run left and this one
  // continues. If the path is a link, the file that it names is written. kRuntime when the file
  // can't be written, when another process is writing it, or when it is no plain file: a rename
  // would put one in the place of a device such as /dev/null.
  static Result<OutputFile> open(const std::string& path, std::string_view kept = {});

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // kRuntime when the write fails; standard output may be a pipe that was closed.
  Result<void> write(std::string_view text);
  Result<void> commit();
  // Removes the partial file, if it has nothing worth keeping.
  void discard();

  bool to_standard_output() const noexcept { return path_.empty(); }
  static std::string partial_path(const std::string& path);

 private:
  explicit OutputFile(const std::string& path);
  Result<void> open_partial();
  Result<void> start_with(std::string_view kept);
  Result<bool> begins_with(std::string_view kept) const;
  Result<void> replace_by(std::string_view kept);

  std::string path_;
  int file_ = -1;  // the partial file, locked
};

// The names and values of everything that results depend on. They are stored next to unfinished
// results, and compared when a run continues these.
using Conditions = std::map<std::string, std::string>;

// A file's name, size and time of last change: another file may have replaced it under its name.
std::string identity_of(const std::string& path);

// Writes them to `path` as a JSON object, whole or not at all. Errors: see write_file_atomically.
Result<void> save_conditions(const std::string& path, const Conditions& conditions);

struct ChangedCondition {
  std::string key;
  std::optional<std::string> before;  // nullopt: that side lacks it
  std::optional<std::string> now;
};

// The conditions that differ, or that only one side has, by key.
std::vector<ChangedCondition> changed_conditions(const Conditions& before, const Conditions& now);
// The same for saved conditions; empty if nothing was saved. kInvalidInput: the file holds no
// conditions; other errors: see read_file.
Result<std::vector<ChangedCondition>> changed_conditions(const std::string& path,
                                                         const Conditions& now);

// The answers that an earlier run left.
struct KeptAnswers {
  std::string notes;  // the lines of "<path>.conditions" for the answers below
  std::string text;   // the complete answers of the file
  std::unordered_map<std::string, std::string> requests;  // by id: content_digest; "" = not known
  bool is_interrupted = false;                            // the answers are in "<path>.partial"
};

// Reads "<path>.partial", or `path` if there is no such file, or one that had not begun when it was
// interrupted; if neither exists, nothing is kept.
// Incomplete answers are dropped: a line without its end, and the last request of a TREC run that
// was interrupted, whose lines may be incomplete. kInvalidInput when the file is not such an
// output. kInvalidArgument: the answers were made under other conditions than `now`, or under
// unknown ones, or the format is a table.
Result<KeptAnswers> read_kept_answers(const std::string& path, AnswerFormat format,
                                      const Conditions& now);

// Answers, and next to them in "<path>.conditions" the conditions and a digest of each answered
// request. Both files appear when they are complete (OutputFile). Standard
// output and tables, which can't be resumed, have no conditions.
class ResumableOutput {
 public:
  // The output begins with `kept`. Errors: see OutputFile::open.
  static Result<ResumableOutput> open(const std::string& path, AnswerFormat format,
                                      const Conditions& conditions, const KeptAnswers& kept);

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

}  // namespace rsd
