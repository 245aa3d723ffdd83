#include "llm/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace rsd {
namespace {

Error failure(ErrorCode code, const std::string& path, const std::string& what) {
  return {code, path + ": " + what};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return failure(ErrorCode::kNotFound, path,
                   "can't be opened: " + std::generic_category().message(errno));
  }
  struct stat about {};
  const bool is_plain = ::fstat(file, &about) == 0 && S_ISREG(about.st_mode);
  const auto n_bytes = static_cast<std::size_t>(is_plain ? about.st_size : 0);
  void* const mapped =
      n_bytes > 0 ? ::mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, file, 0) : nullptr;
  const int reason = errno;
  ::close(file);
  if (!is_plain) return failure(ErrorCode::kNotFound, path, "is no plain file");
  if (mapped == MAP_FAILED) {
    return failure(ErrorCode::kRuntime, path,
                   "can't be mapped into memory: " + std::generic_category().message(reason));
  }
  return MappedFile(path, {static_cast<const std::uint8_t*>(mapped), n_bytes});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

}  // namespace rsd
