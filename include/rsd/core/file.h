// Writes files atomically, appends to files, and reads whole files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// Writes `content` to a temporary file next to `path`, flushes it to the disk, then renames it. The
// next call for the path removes the temporary file of a process that was killed, unless it was one
// of several that wrote at once. An
// existing file's permissions are kept; if `path` is a link, the linked file is replaced. kRuntime
// names the path and the operating system's reason (a folder that is missing or not writable, a
// `path` that is a folder or a device, a full disk); an existing file is then unchanged and the
// temporary file removed.
Result<void> write_file_atomically(const std::string& path, std::string_view content);

// Appends `content` to the file, which is made if it is missing. kRuntime names the path and the
// operating system's reason; the file is as before then, if it can be cut to its length.
Result<void> append_to_file(const std::string& path, std::string_view content);

// Reads the whole file. kNotFound when it is a folder or can't be opened, kRuntime when a read
// fails.
Result<std::string> read_file(const std::string& path);

// nullopt if nothing is at the path (is_missing). Errors of read_file.
Result<std::optional<std::string>> read_file_if_there(const std::string& path);

// True if nothing is at the path. False also if that can't be found out (a loop of links, a name
// that is too long): what reads the path then reports why.
bool is_missing(const std::string& path) noexcept;

}  // namespace rsd
