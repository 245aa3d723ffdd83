#include "fuzz/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/target.h"

namespace rsd::fuzz {

MemoryFile::MemoryFile(std::string_view content)
    : file_(::memfd_create("rsd-fuzz", MFD_CLOEXEC)),
      path_("/proc/self/fd/" + std::to_string(file_)) {
  require(file_ >= 0, "the system has files in memory");
  set(content);
}

MemoryFile::~MemoryFile() {
  ::close(file_);
}

// NOLINTNEXTLINE(readability-make-member-function-const): the file that it stands for changes
void MemoryFile::set(std::string_view content) {
  require(::ftruncate(file_, 0) == 0, "a file in memory can be emptied");
  const auto n_written = ::pwrite(file_, content.data(), content.size(), 0);
  require(n_written == static_cast<ssize_t>(content.size()), "a file in memory can be written");
}

}  // namespace rsd::fuzz
