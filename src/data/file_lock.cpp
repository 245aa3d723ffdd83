#include "data/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/uninterrupted.h"
#include "rsd/core/log_to.h"

namespace rsd {

Result<FileLock> FileLock::acquire(const std::string& path, const std::string& what,
                                   const LogSink& log) {
  const int file =
      uninterrupted([&] { return ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644); });
  if (file < 0) {
    return Error(ErrorCode::kRuntime,
                 "can't write " + path + ": " + std::generic_category().message(errno));
  }
  FileLock lock(file);
  const auto is_locked = [&](int operation) {
    return uninterrupted([&] { return ::flock(file, operation); }) == 0;
  };
  if (is_locked(LOCK_EX | LOCK_NB)) return lock;
  if (errno == EWOULDBLOCK) {
    log_to(log, LogLevel::kWarning, "waiting for another rsd that is " + what);
    if (is_locked(LOCK_EX)) return lock;
  }
  return Error(ErrorCode::kRuntime,
               "can't lock " + path + ": " + std::generic_category().message(errno));
}

FileLock::~FileLock() {
  if (file_ >= 0) ::close(file_);  // which unlocks
}

}  // namespace rsd
