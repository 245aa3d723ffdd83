// The records of one evaluation on disk: a header line, then one line a request.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"

namespace rsd {

// What an earlier run has left: its finished requests, and the lines to go on behind.
struct EarlierRecords {
  std::vector<RequestRecord> records;
  std::string content;
};

// No records, the header alone: what all records must have in common to be reported together.
EarlierRecords no_records(const Conditions& conditions);

// Drops the half-written last line of a killed run, and the lines of requests that had failed. No
// records when the file is missing or ends within its header. kInvalidArgument when the
// conditions are others: in what is told. kInvalidInput with "<path>:<line>: …" for a damaged line.
Result<EarlierRecords> read_records(const std::string& path, const Conditions& conditions,
                                    const std::vector<Setting>& settings);

// Appends lines; each is handed to the operating system before `append` returns. Move-only.
class RecordsFile {
 public:
  // Replaces the file by `content`, atomically, and goes on behind it. Makes the folder.
  static Result<RecordsFile> open(const std::string& path, const std::string& content);

  // `line` without its newline.
  Result<void> append(const std::string& line);

 private:
  RecordsFile(std::string path, std::ofstream stream);

  std::string path_;
  std::ofstream stream_;
};

}  // namespace rsd
