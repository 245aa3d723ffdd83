// A file's size and checksums, by which damage is found. Internal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/models/find_damage.h"

namespace rsd {

struct FileSeal {
  std::uint64_t size_bytes = 0;
  std::string sha256;   // of the whole file, in hexadecimal
  std::string samples;  // SHA-256 of 1024 blocks of 4 KiB that are spread evenly over the file, the
                        // first and the last among them; of all of a file that is no longer
};

// Reads the whole file. kNotFound when it can't be opened, kRuntime when it can't be read.
Result<FileSeal> seal_of(const std::string& path);

// Why the file can't be the one that was sealed, such as "it has 5 bytes in place of 9";
// nullopt where the check finds nothing.
std::optional<std::string> find_damage(const std::string& path, const FileSeal& seal,
                                       DamageCheck check);

}  // namespace rsd
