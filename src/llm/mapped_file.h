// A file that is read as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

// Read-only. The file must not be cut while it is mapped.
class MappedFile {
 public:
  // kNotFound: it can't be opened, or is no plain file; kRuntime: it can't be mapped.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept
      : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

 private:
  MappedFile(std::string path, std::span<const std::uint8_t> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  std::span<const std::uint8_t> bytes_;
};

}  // namespace rsd
