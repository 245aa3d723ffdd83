// A file that is read as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "llm/file_watch.h"
#include "rsd/core/result.h"

namespace rsd {

// Read-only. A file that is cut while it is mapped ends the process with SIGBUS where it is read:
// what is mapped for long asks is_unchanged() first.
class MappedFile {
 public:
  // kNotFound: it can't be opened, or is no plain file; kRuntime: it can't be mapped.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const std::string& path() const noexcept { return file_.path(); }
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }
  bool is_unchanged() const noexcept { return file_.is_unchanged(); }  // see FileWatch

 private:
  explicit MappedFile(FileWatch file) : file_(std::move(file)) {}

  FileWatch file_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace rsd
