#include "llm/file_watch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/uninterrupted.h"

namespace rsd {

Result<FileWatch> FileWatch::open(const std::string& path) {
  FileWatch watch(path, uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (watch.file_ < 0) {
    return Error(ErrorCode::kNotFound,
                 path + ": can't be opened: " + std::generic_category().message(errno));
  }
  struct stat about {};
  if (::fstat(watch.file_, &about) != 0 || !S_ISREG(about.st_mode))
    return Error(ErrorCode::kNotFound, path + ": is no plain file");
  watch.n_bytes_ = static_cast<std::size_t>(about.st_size);
  watch.changed_at_ = about.st_mtim;
  return watch;
}

FileWatch::~FileWatch() {
  if (file_ >= 0) ::close(file_);
}

bool FileWatch::is_unchanged() const noexcept {
  struct stat about {};
  return ::fstat(file_, &about) == 0 && static_cast<std::size_t>(about.st_size) == n_bytes_ &&
         about.st_mtim.tv_sec == changed_at_.tv_sec && about.st_mtim.tv_nsec == changed_at_.tv_nsec;
}

}  // namespace rsd
