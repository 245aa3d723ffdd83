// Files that are there whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// Writes `content` to a temporary file beside `path`, on to the disk, then renames it. A file that
// was there keeps its permissions; of a link, the file that it names is replaced. kRuntime names
// the path and the operating system's reason (a folder that is missing or not writable, a `path`
// that is a folder or a device, a full disk); an older file at `path` is then unharmed and the
// temporary one gone.
Result<void> write_file_atomically(const std::string& path, std::string_view content);

// The whole file. kNotFound when it is a folder or can't be opened, kRuntime when a read fails.
Result<std::string> read_file(const std::string& path);

}  // namespace rsd
