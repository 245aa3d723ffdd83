#include "llm/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/publish.h"
#include "core/uninterrupted.h"

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
  const int file = uninterrupted(
      [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666); });
  if (file < 0) return not_written(path, last_reason());
  PartialFile partial(path, file);
  if (auto locked = lock_to_write(file, path); !locked) return locked.error();
  return partial;
}

PartialFile::~PartialFile() {
  if (file_ >= 0) ::close(file_);  // which unlocks
}

Result<void> PartialFile::cut(std::uint64_t n_bytes) {
  const auto length = static_cast<off_t>(n_bytes);
  if (uninterrupted([&] { return ::ftruncate(file_, length); }) == 0 &&
      ::lseek(file_, length, SEEK_SET) == length)
    return {};
  return not_written(path_, last_reason());
}

Result<void> PartialFile::write(std::string_view bytes) {
  const auto failure = write_all(file_, bytes);
  return failure ? not_written(path_, failure.message()) : Result<void>();
}

Result<void> PartialFile::publish_as(const std::string& path) {
  const auto failure = publish(file_, path_, path);
  if (!failure) return {};
  return not_written(path, failure.message());
}

}  // namespace rsd
