#include "rsd/core/file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "core/publish.h"
#include "core/uninterrupted.h"
#include "core/xxh64.h"

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

std::error_code last_failure() {
  return {errno, std::generic_category()};
}

bool wait_for_room(int file) {
  pollfd waiting{.fd = file, .events = POLLOUT, .revents = 0};
  return uninterrupted([&] { return ::poll(&waiting, 1, -1); }) == 1;
}

// kNot: the file system can't lock it; errno says why.
enum class Locked { kByUs, kByAnother, kNot };

// Locks the open file. One that no longer has the name is another's, who has renamed or removed it.
Locked lock(int file, const std::string& name) {
  if (uninterrupted([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) != 0)
    return errno == EWOULDBLOCK ? Locked::kByAnother : Locked::kNot;
  struct stat opened {};
  struct stat named {};
  if (::fstat(file, &opened) != 0) return Locked::kNot;
  if (::stat(name.c_str(), &named) != 0) return errno == ENOENT ? Locked::kByAnother : Locked::kNot;
  return opened.st_ino == named.st_ino ? Locked::kByUs : Locked::kByAnother;
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
  // Its name belongs to the target, so that the next writer removes what one left that was killed,
  // and is short, since the target's may have the maximal length.
  static Result<TemporaryFile> create_beside(const fs::path& target) {
    const std::string name = ".rsd-" + hex(xxh64(target.filename().string())) + "-";
    for (int number = 0; number < kMaxNameTries; ++number) {
      const fs::path path = target.parent_path() / (name + std::to_string(number) + ".tmp");
      remove_if_left(path);
      FileDescriptor file(uninterrupted(
          [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
      if (file.get() < 0 && errno != EEXIST) return not_written(target.string(), errno);
      // Another writer may have taken the new file for one that was left.
      if (file.get() >= 0 && lock(file.get(), path) != Locked::kByAnother)
        return TemporaryFile(path, std::move(file));
    }
    return not_written(target.string(), EEXIST);
  }

  TemporaryFile(TemporaryFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  std::error_code write(std::string_view content) { return write_all(file_.get(), content); }

  std::error_code set_permissions(mode_t mode) {
    return ::fchmod(file_.get(), mode) == 0 ? std::error_code() : last_failure();
  }

  std::error_code publish_as(const fs::path& target) {
    const std::error_code failure = publish(file_.get(), path_, target.string());
    if (!failure) path_.clear();
    return failure;
  }

 private:
  // A file of this user's that nobody has locked: its writer was killed.
  static void remove_if_left(const fs::path& path) {
    // To write: a network's file system locks no other for itself alone.
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat about = {};
    if (file.get() < 0 || ::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_uid != ::geteuid())
      return;
    if (lock(file.get(), path) == Locked::kByUs) ::unlink(path.c_str());
  }

  TemporaryFile(std::string path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  FileDescriptor file_;
};

}  // namespace

Result<void> lock_to_write(int file, const std::string& name) {
  const Locked locked = lock(file, name);
  if (locked == Locked::kByUs) return {};
  if (locked == Locked::kNot) return failed(ErrorCode::kRuntime, name, "can't be locked", errno);
  return Error(ErrorCode::kRuntime, "another rsd is writing " + name);
}

std::error_code write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = uninterrupted([&] { return ::write(file, text.data(), text.size()); });
    // A pipe or a terminal that another program has set to non-blocking.
    if (written < 0 && errno == EAGAIN && wait_for_room(file)) continue;
    if (written < 0) return last_failure();
    if (written == 0) return std::make_error_code(std::errc::io_error);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::error_code publish(int file, const std::string& name, const std::string& target) {
  // A network's file system may report only here that an earlier write failed.
  if (uninterrupted([&] { return ::fsync(file); }) != 0) return last_failure();
  return ::rename(name.c_str(), target.c_str()) == 0 ? std::error_code() : last_failure();
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
  std::error_code failure;
  if (permissions) failure = temporary->set_permissions(*permissions);
  if (!failure) failure = temporary->write(content);
  if (!failure) failure = temporary->publish_as(target);
  return failure ? not_written(path, failure.value()) : Result<void>();
}

Result<void> append_to_file(const std::string& path, std::string_view content) {
  const FileDescriptor file(uninterrupted(
      [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666); }));
  if (file.get() < 0) return not_written(path, errno);
  const off_t before = ::lseek(file.get(), 0, SEEK_END);
  const std::error_code failure = write_all(file.get(), content);
  if (!failure) return {};
  // What can't be taken back is the beginning of a line, which readers know as such.
  (void)!::ftruncate(file.get(), before);
  return not_written(path, failure.value());
}

Result<std::string> read_file(const std::string& path) {
  const FileDescriptor file(
      uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (file.get() < 0) return failed(ErrorCode::kNotFound, path, "can't be opened", errno);
  struct stat status = {};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return failed(ErrorCode::kNotFound, path, "can't be opened", EISDIR);
  }

  std::string content;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const ssize_t count =
        uninterrupted([&] { return ::read(file.get(), chunk.data(), chunk.size()); });
    if (count == 0) return content;
    if (count < 0) return failed(ErrorCode::kRuntime, path, "reading broke off", errno);
    content.append(chunk.data(), static_cast<std::size_t>(count));
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
