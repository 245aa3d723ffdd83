#include "llm/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/publish.h"

namespace rsd {
namespace {

Error not_written(const std::string& path, const std::string& reason) {
  return {ErrorCode::kRuntime, "can't write " + path + ": " + reason};
}

std::string last_reason() {
  return std::generic_category().message(errno);
}

}  // namespace

Result<PartialFile> PartialFile::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return not_written(path, last_reason());
  PartialFile partial(path, file);
  if (!lock_to_write(file, path))
    return Error(ErrorCode::kRuntime, "another rsd is writing " + path);
  return partial;
}

PartialFile::~PartialFile() {
  if (file_ >= 0) ::close(file_);  // which unlocks
}

Result<void> PartialFile::cut(std::uint64_t n_bytes) {
  const auto length = static_cast<off_t>(n_bytes);
  if (::ftruncate(file_, length) == 0 && ::lseek(file_, length, SEEK_SET) == length) return {};
  return not_written(path_, last_reason());
}

Result<void> PartialFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return not_written(path_, last_reason());
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> PartialFile::publish_as(const std::string& path) {
  const auto failure = publish(file_, path_, path);
  if (!failure) return {};
  return not_written(path, failure.message());
}

}  // namespace rsd
