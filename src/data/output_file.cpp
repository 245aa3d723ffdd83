#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/publish.h"
#include "rsd/data/resumable_output.h"

namespace rsd {
namespace {

constexpr const char* kPartial = ".partial";

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
  file_ = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file_ < 0) return failure("can't write to", partial);
  // Another run into the same file would rename what we write, or lose what it has written.
  if (!lock_to_write(file_, partial))
    return Error(ErrorCode::kRuntime, "another rsd is writing " + partial);
  struct stat opened {};
  if (::fstat(file_, &opened) == 0 && S_ISREG(opened.st_mode)) return {};
  return Error(ErrorCode::kRuntime, "can't write to " + partial + ": it is no plain file");
}

// What is kept usually stands at the beginning of the partial file: only its end is cut off then,
// and nothing is lost if we are killed meanwhile.
Result<void> OutputFile::start_with(std::string_view kept) {
  std::string present(kept.size(), '\0');
  const ssize_t length = ::pread(file_, present.data(), present.size(), 0);
  const bool stands = length == static_cast<ssize_t>(kept.size()) && present == kept;
  if (::ftruncate(file_, stands ? static_cast<off_t>(kept.size()) : 0) != 0 ||
      ::lseek(file_, 0, SEEK_END) < 0) {
    return failure("can't write to", path_ + kPartial);
  }
  return stands ? Result<void>() : write(kept);
}

Result<void> OutputFile::write(std::string_view text) {
  const int file = to_standard_output() ? STDOUT_FILENO : file_;
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return failure("can't write to", to_standard_output() ? "standard output" : path_ + kPartial);
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
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
