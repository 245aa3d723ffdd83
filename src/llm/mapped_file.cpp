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
  MappedFile opened(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened.file_ < 0) {
    return failure(ErrorCode::kNotFound, path,
                   "can't be opened: " + std::generic_category().message(errno));
  }
  struct stat about {};
  if (::fstat(opened.file_, &about) != 0 || !S_ISREG(about.st_mode))
    return failure(ErrorCode::kNotFound, path, "is no plain file");
  opened.changed_at_ = about.st_mtim;
  const auto n_bytes = static_cast<std::size_t>(about.st_size);
  if (n_bytes == 0) return opened;
  void* const mapped = ::mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, opened.file_, 0);
  if (mapped == MAP_FAILED) {
    return failure(ErrorCode::kRuntime, path,
                   "can't be mapped into memory: " + std::generic_category().message(errno));
  }
  opened.bytes_ = {static_cast<const std::uint8_t*>(mapped), n_bytes};
  return opened;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
  if (file_ >= 0) ::close(file_);
}

bool MappedFile::is_unchanged() const noexcept {
  struct stat about {};
  return ::fstat(file_, &about) == 0 && static_cast<std::size_t>(about.st_size) == bytes_.size() &&
         about.st_mtim.tv_sec == changed_at_.tv_sec && about.st_mtim.tv_nsec == changed_at_.tv_nsec;
}

}  // namespace rsd
