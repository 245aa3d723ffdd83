#include "publish_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace rsd::cli {

Result<void> publish_file(const std::string& file, const std::string& output) {
  const int opened = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  std::error_code failure;
  if (opened < 0 || ::fsync(opened) != 0) failure.assign(errno, std::generic_category());
  if (opened >= 0) ::close(opened);
  if (!failure) std::filesystem::rename(file, output, failure);
  if (!failure) return {};
  return Error(ErrorCode::kRuntime, output + " can't be written: " + failure.message());
}

}  // namespace rsd::cli
