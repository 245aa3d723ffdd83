// What every writer of files that are there whole or not at all ends with. Internal.
#pragma once

#include <string>
#include <system_error>

namespace rsd {

// Locks the open `file`, whose name is `name`, for this process until it is closed. False: another
// one writes it, or has renamed it meanwhile.
bool lock_to_write(int file, const std::string& name);

// Brings the open `file`, whose name is `name`, on to the disk, then renames it to `target`, on the
// same file system: after a power cut `target` is the old file or the new one, whole. Fails with
// the operating system's reason; `target` is then as it was.
std::error_code publish(int file, const std::string& name, const std::string& target);

// A link stays a link: the file that it names, which is to be written in its place. `path` itself
// where it is no link, or one that names nothing.
std::string link_target(const std::string& path);

}  // namespace rsd
