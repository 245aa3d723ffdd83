// Whether a file that is in use is still as it was.
#pragma once

#include <sys/types.h>
#include <ctime>
#include <string>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

// Holds the file open. Thread-safe.
class FileWatch {
 public:
  // kNotFound: it can't be opened, or is not a plain file.
  static Result<FileWatch> open(const std::string& path);

  FileWatch(FileWatch&& other) noexcept
      : path_(std::move(other.path_)),
        file_(std::exchange(other.file_, -1)),
        n_bytes_(other.n_bytes_),
        changed_at_(other.changed_at_) {}
  FileWatch& operator=(FileWatch&&) = delete;
  ~FileWatch();

  const std::string& path() const noexcept { return path_; }
  int file() const noexcept { return file_; }
  std::size_t n_bytes() const noexcept { return n_bytes_; }
  // True if nobody has written into it, or cut it, since it was opened. Another file that took its
  // name changes nothing. Cost: a system call.
  bool is_unchanged() const noexcept;

 private:
  FileWatch(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;  // open
  std::size_t n_bytes_ = 0;
  timespec changed_at_{};
};

}  // namespace rsd
