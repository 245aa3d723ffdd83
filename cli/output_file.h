// Where results go: standard output, or a file that appears when it is complete.
#pragma once

#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd::cli {

// Results are appended to "<path>.partial" and flushed one by one, so that an interrupted run keeps
// what it has; commit() renames it to `path`.
class OutputFile {
 public:
  // An empty path is standard output. `kept` is what an earlier run left and this one goes on from.
  // Of a link, the file that it names is written. kRuntime when the file can't be written, when
  // another process is writing it, or when it is no plain file: a rename would put one in the place
  // of a device such as /dev/null.
  static Result<OutputFile> open(const std::string& path, std::string_view kept = {});

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // kRuntime when the write fails; standard output may be a pipe that was closed.
  Result<void> write(std::string_view text);
  Result<void> commit();
  // Nothing worth keeping came about: the partial file goes.
  void discard();

  bool to_standard_output() const noexcept { return path_.empty(); }
  static std::string partial_path(const std::string& path);

 private:
  explicit OutputFile(const std::string& path) : path_(target_of(path)) {}
  static std::string target_of(const std::string& path);
  Result<void> open_partial();
  Result<void> start_with(std::string_view kept);

  std::string path_;
  int file_ = -1;  // the partial file, locked
};

}  // namespace rsd::cli
