#include "rsd/core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/publish.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxNameTries = 100;

Error failed(ErrorCode code, const std::string& path, const char* what, int reason) {
  return {code, path + ": " + what + ": " + std::generic_category().message(reason)};
}

Error not_written(const std::string& path, int reason) {
  return failed(ErrorCode::kRuntime, path, "can't be written", reason);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) noexcept : value_(value) {}
  FileDescriptor(FileDescriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }

  int get() const noexcept { return value_; }

 private:
  int value_;
};

// A new file that is removed again unless it is renamed to its target.
class TemporaryFile {
 public:
  // The name is short and not derived from the target's, which may have the maximal length.
  static Result<TemporaryFile> create_beside(const fs::path& target) {
    static std::atomic<unsigned> next_number = 0;
    for (int tries = 0; tries < kMaxNameTries; ++tries) {
      const fs::path path = target.parent_path() / (".rsd-" + std::to_string(::getpid()) + "-" +
                                                    std::to_string(next_number++) + ".tmp");
      const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file >= 0) return TemporaryFile(path.string(), FileDescriptor(file));
      if (errno != EEXIST) break;
    }
    return not_written(target.string(), errno);
  }

  TemporaryFile(TemporaryFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  // Writes all of `content` and flushes it to the disk. Like the functions below, returns false and
  // sets errno on failure.
  bool write(std::string_view content) {
    while (!content.empty()) {
      const ssize_t written = ::write(file_.get(), content.data(), content.size());
      if (written < 0 && errno != EINTR) return false;
      if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  bool set_permissions(mode_t mode) { return ::fchmod(file_.get(), mode) == 0; }

  std::error_code publish_as(const fs::path& target) {
    const std::error_code failure = publish(file_.get(), path_, target.string());
    if (!failure) path_.clear();
    return failure;
  }

 private:
  TemporaryFile(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  FileDescriptor file_;
};

}  // namespace

bool lock_to_write(int file, const std::string& name) {
  struct stat opened {};
  struct stat named {};
  return ::flock(file, LOCK_EX | LOCK_NB) == 0 && ::fstat(file, &opened) == 0 &&
         ::stat(name.c_str(), &named) == 0 && opened.st_ino == named.st_ino;
}

std::error_code publish(int file, const std::string& name, const std::string& target) {
  // A network's file system may report only here that an earlier write failed.
  if (::fsync(file) != 0 || ::rename(name.c_str(), target.c_str()) != 0) {
    return {errno, std::generic_category()};
  }
  return {};
}

std::string link_target(const std::string& path) {
  std::error_code failure;
  if (!fs::is_symlink(path, failure)) return path;
  const fs::path target = fs::canonical(path, failure);
  return failure ? path : target.string();
}

Result<void> write_file_atomically(const std::string& path, std::string_view content) {
  fs::path target = path;
  std::optional<mode_t> permissions;
  struct stat old = {};
  if (::stat(path.c_str(), &old) == 0) {
    if (S_ISDIR(old.st_mode)) return not_written(path, EISDIR);
    // A rename would replace a device such as /dev/stdout by a plain file.
    if (!S_ISREG(old.st_mode)) {
      return Error(ErrorCode::kRuntime, path + ": can't be written: Not a regular file");
    }
    permissions = old.st_mode & 07777;
    target = link_target(path);
  }

  auto temporary = TemporaryFile::create_beside(target);
  if (!temporary) return temporary.error();
  if ((permissions && !temporary->set_permissions(*permissions)) || !temporary->write(content)) {
    return not_written(path, errno);
  }
  if (const auto failure = temporary->publish_as(target)) {
    return not_written(path, failure.value());
  }
  return {};
}

Result<std::string> read_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return failed(ErrorCode::kNotFound, path, "can't be opened", errno);
  struct stat status = {};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return failed(ErrorCode::kNotFound, path, "can't be opened", EISDIR);
  }

  std::string content;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count == 0) return content;
    if (count > 0) {
      content.append(chunk.data(), static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      return failed(ErrorCode::kRuntime, path, "reading broke off", errno);
    }
  }
}

Result<std::optional<std::string>> read_file_if_there(const std::string& path) {
  if (is_missing(path)) return std::optional<std::string>();
  auto text = read_file(path);
  if (!text) return text.error();
  return std::optional(*std::move(text));
}

bool is_missing(const std::string& path) noexcept {
  struct stat status = {};
  return ::stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace rsd
