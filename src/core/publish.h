// What every writer of files that are there whole or not at all ends with. Internal.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

#include "rsd/core/result.h"

namespace rsd {

// Locks the open `file`, whose name is `name`, for this process until it is closed. kRuntime:
// another one writes it, or has renamed it meanwhile; or it can't be locked.
Result<void> lock_to_write(int file, const std::string& name);

// Writes all of `text` where the open `file` stands. Fails with the operating system's reason; a
// part may be written then.
std::error_code write_all(int file, std::string_view text);

// Brings the open `file`, whose name is `name`, on to the disk, then renames it to `target`, on the
// same file system: after a power cut `target` is the old file or the new one, whole. Fails with
// the operating system's reason; `target` is then as it was.
std::error_code publish(int file, const std::string& name, const std::string& target);

// A link stays a link: the file that it names, which is to be written in its place. `path` itself
// where it is no link, or one that names nothing.
std::string link_target(const std::string& path);

}  // namespace rsd
