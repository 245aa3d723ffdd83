// The records of one evaluation on disk: a header line, then one line per request.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"

namespace rsd {

// The result of an earlier run: its finished requests, and the file's lines to append to.
struct EarlierRecords {
  std::vector<RequestRecord> records;
  std::string content;
};

// No records, the header alone: what all records must have in common to be reported together.
EarlierRecords no_records(const Conditions& conditions);

// Drops the half-written last line of a killed run, and the lines of failed requests. Returns no
// records when the file is missing or ends within its header. kInvalidArgument when the
// conditions differ, with the differences. kInvalidInput with "<path>:<line>: …" for a damaged
// line.
Result<EarlierRecords> read_records(const std::string& path, const Conditions& conditions,
                                    const std::vector<Setting>& settings);

// Appends lines; each is handed to the operating system before `append` returns.
class RecordsFile {
 public:
  // Replaces the file by `content`, atomically, and opens it for appending. Creates the folder.
  static Result<RecordsFile> open(const std::string& path, const std::string& content);

  // `line` without its newline.
  Result<void> append(const std::string& line) const;

 private:
  explicit RecordsFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace rsd
