#include "models/publish_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/publish.h"
#include "core/uninterrupted.h"

namespace rsd {

Result<void> publish_file(const std::string& file, const std::string& output) {
  const int opened = uninterrupted([&] { return ::open(file.c_str(), O_RDONLY | O_CLOEXEC); });
  const std::error_code failure =
      opened < 0 ? std::error_code(errno, std::generic_category()) : publish(opened, file, output);
  if (opened >= 0) ::close(opened);
  if (!failure) return {};
  return Error(ErrorCode::kRuntime, output + " can't be written: " + failure.message());
}

}  // namespace rsd
