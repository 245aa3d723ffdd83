// A folder for what is not finished, which goes with its object. Internal.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

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
  // Under a name that no other file has; `pattern` ends in XXXXXX, which is replaced. kRuntime: the
  // operating system's reason.
  static Result<WorkFolder> make_unique(std::string pattern) {
    if (::mkdtemp(pattern.data())) return WorkFolder(pattern);
    return Error(ErrorCode::kRuntime, std::generic_category().message(errno));
  }

  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  explicit WorkFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace rsd
