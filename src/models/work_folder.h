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
  // ".rsd-" before the last part of `path`, a hyphen and a number after it, which no other process
  // of this machine uses; what one left there that was killed goes first. kRuntime: the operating
  // system's reason.
  static Result<WorkFolder> make_locked(const std::filesystem::path& path) {
    constexpr int kMostNumbers = 100;
    const std::string prefix =
        (path.parent_path() / (".rsd-" + path.filename().string() + "-")).string();
    for (int number = 0; number < kMostNumbers; ++number) {
      const std::filesystem::path numbered = prefix + std::to_string(number);
      if (::mkdir(numbered.c_str(), 0700) != 0 && errno != EEXIST) return failed();
      const int opened = ::open(numbered.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (opened < 0 && (errno == EMFILE || errno == ENFILE)) return failed();
      WorkFolder folder("", opened);
      struct stat about {};
      if (opened < 0 || ::fstat(opened, &about) != 0 || about.st_uid != ::geteuid() ||
          !lock_to_write(opened, numbered.string()))
        continue;
      folder.path_ = numbered;
      if (const auto fault = folder.clear()) return Error(ErrorCode::kRuntime, fault.message());
      return folder;
    }
    return Error(ErrorCode::kRuntime,
                 prefix + "… has " + std::to_string(kMostNumbers) + " folders");
  }
  // Under a name that no other file has; `pattern` ends in XXXXXX, which is replaced. kRuntime: the
  // operating system's reason.
  static Result<WorkFolder> make_unique(std::string pattern) {
    if (::mkdtemp(pattern.data())) return WorkFolder(pattern);
    return failed();
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
  static Error failed() { return {ErrorCode::kRuntime, std::generic_category().message(errno)}; }

  std::error_code clear() const {
    std::error_code fault;
    std::filesystem::directory_iterator left(path_, fault);
    for (; !fault && left != std::filesystem::directory_iterator(); left.increment(fault)) {
      std::filesystem::remove_all(left->path(), fault);
      if (fault) break;
    }
    return fault;
  }

  explicit WorkFolder(std::filesystem::path path, int lock = -1)
      : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;  // empty: it isn't ours
  int lock_;                    // the open folder; -1: nobody else uses its name
};

}  // namespace rsd
