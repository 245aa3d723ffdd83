// A file that grows under a name of its own until it is complete.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

// One process at a time may write it, and what an interrupted one has written stays. Not
// thread-safe.
class PartialFile {
 public:
  // Made where it is missing. kRuntime: it can't be written, or another process is writing it.
  static Result<PartialFile> open(const std::string& path);

  PartialFile(PartialFile&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  // Cuts it to so many bytes, after which it goes on.
  Result<void> cut(std::uint64_t n_bytes);
  Result<void> write(std::string_view bytes);
  // Brings it on to the disk, and gives it its name.
  Result<void> publish_as(const std::string& path);

 private:
  PartialFile(std::string path, int file) : path_(std::move(path)), file_(file) {}

  std::string path_;
  int file_;  // locked
};

}  // namespace rsd
