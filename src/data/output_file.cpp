#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/publish.h"
#include "core/uninterrupted.h"
#include "rsd/data/resumable_output.h"

namespace rsd {
namespace {

constexpr const char* kPartial = ".partial";
constexpr const char* kFresh = ".new";  // after that

Error failure(const std::string& what, const std::string& path) {
  const std::string reason = errno != 0 ? ": " + std::generic_category().message(errno) : "";
  return {ErrorCode::kRuntime, what + " " + path + reason};
}

}  // namespace

std::string OutputFile::partial_path(const std::string& path) {
  return link_target(path) + kPartial;
}

OutputFile::OutputFile(const std::string& path) : path_(link_target(path)) {}

Result<OutputFile> OutputFile::open(const std::string& path, std::string_view kept) {
  OutputFile output(path);
  if (path.empty()) return output;
  std::error_code unknown;
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::is_directory(status)) {
    return Error(ErrorCode::kRuntime, "can't write to " + path + ": it is a folder");
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Error(ErrorCode::kRuntime, "can't write to " + path + ": it is no plain file");
  }
  if (auto opened = output.open_partial(); !opened) return opened.error();
  if (auto kept_it = output.start_with(kept); !kept_it) return kept_it.error();
  return output;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

OutputFile::~OutputFile() {
  if (file_ >= 0) ::close(file_);  // which unlocks
}

Result<void> OutputFile::open_partial() {
  const std::string partial = path_ + kPartial;
  errno = 0;
  file_ = uninterrupted(
      [&] { return ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666); });
  if (file_ < 0) return failure("can't write to", partial);
  // Another run into the same file would rename what we write, or lose what it has written.
  if (auto locked = lock_to_write(file_, partial); !locked) return locked;
  struct stat opened {};
  if (::fstat(file_, &opened) == 0 && S_ISREG(opened.st_mode)) return {};
  return Error(ErrorCode::kRuntime, "can't write to " + partial + ": it is no plain file");
}

// What is kept usually stands at the beginning of the partial file: only its end is cut off then,
// and nothing is lost if we are killed meanwhile.
Result<void> OutputFile::start_with(std::string_view kept) {
  ::unlink((path_ + kPartial + kFresh).c_str());  // one that was killed in replace_by() left it
  const auto begins = begins_with(kept);
  if (!begins) return begins.error();
  if (!*begins) return replace_by(kept);
  const auto length = static_cast<off_t>(kept.size());
  if (uninterrupted([&] { return ::ftruncate(file_, length); }) == 0 &&
      ::lseek(file_, length, SEEK_SET) == length)
    return {};
  return failure("can't write to", path_ + kPartial);
}

// The partial file.
Result<bool> OutputFile::begins_with(std::string_view kept) const {
  std::array<char, 1 << 16> chunk;
  for (off_t place = 0; !kept.empty();) {
    const std::size_t n_wanted = std::min(kept.size(), chunk.size());
    const ssize_t n_read =
        uninterrupted([&] { return ::pread(file_, chunk.data(), n_wanted, place); });
    if (n_read < 0) return failure("can't read", path_ + kPartial);
    const std::string_view present(chunk.data(), static_cast<std::size_t>(n_read));
    if (present.empty() || !kept.starts_with(present)) return false;
    kept.remove_prefix(present.size());
    place += n_read;
  }
  return true;
}

// Under another name first: the partial file is as before or has all of `kept`, whenever we are
// killed or the disk is full. Both files are locked meanwhile.
Result<void> OutputFile::replace_by(std::string_view kept) {
  const std::string partial = path_ + kPartial;
  const std::string fresh = partial + kFresh;
  const int file = uninterrupted([&] {
    return ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  });
  if (file < 0) return failure("can't write to", fresh);
  auto done = lock_to_write(file, fresh);
  if (done) {
    auto broken = write_all(file, kept);
    if (!broken) broken = publish(file, fresh, partial);
    if (broken)
      done = Error(ErrorCode::kRuntime, "can't write to " + fresh + ": " + broken.message());
  }
  ::close(done ? std::exchange(file_, file) : file);
  if (!done) ::unlink(fresh.c_str());
  return done;
}

Result<void> OutputFile::write(std::string_view text) {
  const int file = to_standard_output() ? STDOUT_FILENO : file_;
  const auto broken = write_all(file, text);
  if (!broken) return {};
  const std::string name = to_standard_output() ? "standard output" : path_ + kPartial;
  return Error(ErrorCode::kRuntime, "can't write to " + name + ": " + broken.message());
}

// The lock is held until the new name is there: nobody can take the partial file up in between.
Result<void> OutputFile::commit() {
  if (to_standard_output()) return {};
  const auto failure = publish(file_, path_ + kPartial, path_);
  if (!failure) return {};
  return Error(ErrorCode::kRuntime, "can't write " + path_ + ": " + failure.message());
}

void OutputFile::discard() {
  if (to_standard_output()) return;
  std::error_code ignored;
  std::filesystem::remove(path_ + kPartial, ignored);
}

}  // namespace rsd
