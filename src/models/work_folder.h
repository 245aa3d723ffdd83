// A folder for what is not finished, which goes with its object. Internal.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "core/publish.h"
#include "rsd/core/result.h"

namespace rsd {

class WorkFolder {
 public:
  // Under this name; what lies there goes first. Throws std::filesystem::filesystem_error.
  static WorkFolder make_anew(const std::filesystem::path& path) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
    return WorkFolder(path);
  }
  // `prefix` and a number, which no other process uses; what one left there that was killed goes
  // first. kRuntime: the operating system's reason.
  static Result<WorkFolder> make_locked(const std::string& prefix) {
    constexpr int kMostNumbers = 100;
    for (int number = 0; number < kMostNumbers; ++number) {
      const std::filesystem::path path = prefix + std::to_string(number);
      if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return Error(ErrorCode::kRuntime, std::generic_category().message(errno));
      WorkFolder folder("", ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      struct stat about {};
      if (folder.lock_ < 0 || ::fstat(folder.lock_, &about) != 0 || about.st_uid != ::geteuid() ||
          !lock_to_write(folder.lock_, path.string()))
        continue;
      folder.path_ = path;
      for (const auto& left : std::filesystem::directory_iterator(path))
        std::filesystem::remove_all(left);
      return folder;
    }
    return Error(ErrorCode::kRuntime,
                 prefix + "… has " + std::to_string(kMostNumbers) + " folders");
  }
  // Under a name that no other file has; `pattern` ends in XXXXXX, which is replaced. kRuntime: the
  // operating system's reason.
  static Result<WorkFolder> make_unique(std::string pattern) {
    if (::mkdtemp(pattern.data())) return WorkFolder(pattern);
    return Error(ErrorCode::kRuntime, std::generic_category().message(errno));
  }

  WorkFolder(WorkFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    if (lock_ >= 0) ::close(lock_);
  }

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  explicit WorkFolder(std::filesystem::path path, int lock = -1)
      : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;  // empty: it isn't ours
  int lock_;                    // the open folder; -1: nobody else uses its name
};

}  // namespace rsd
