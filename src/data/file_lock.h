// One process at a time. Internal.
#pragma once

#include <string>
#include <utility>

#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd {

// Held until it is destroyed, or the process ends, however that happens.
class FileLock {
 public:
  // Waits for the process that holds it, and logs that it does; `what` completes "waiting for
  // another rsd that is …". The file is made and stays. kRuntime when it can't be.
  static Result<FileLock> acquire(const std::string& path, const std::string& what,
                                  const LogSink& log);

  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

}  // namespace rsd
