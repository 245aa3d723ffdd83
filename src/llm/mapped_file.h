// A file that is read as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

// Read-only. A file that is cut while it is mapped ends the process with SIGBUS where it is read:
// what is mapped for long asks is_unchanged() first.
class MappedFile {
 public:
  // kNotFound: it can't be opened, or is no plain file; kRuntime: it can't be mapped.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)),
        file_(std::exchange(other.file_, -1)),
        changed_at_(other.changed_at_),
        bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }
  // Has nobody written into it, or cut it, since it was opened? Another file that took its name
  // changes nothing. Cost: a system call.
  bool is_unchanged() const noexcept;

 private:
  MappedFile(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;  // open
  timespec changed_at_{};
  std::span<const std::uint8_t> bytes_;
};

}  // namespace rsd
