// A file without a disk, for readers that take a path.
#pragma once

#include <string>
#include <string_view>

namespace rsd::fuzz {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content = {});
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile();

  // Replaces the content.
  void set(std::string_view content);
  // Valid in this process, while the object lives.
  const std::string& path() const noexcept { return path_; }

 private:
  int file_;
  std::string path_;
};

}  // namespace rsd::fuzz
