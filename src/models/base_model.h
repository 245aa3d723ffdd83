// The LLM that the default model is made of, as it is pinned. Internal; where it lies and how it is
// fetched is in rsd/models/default_model.h.
#pragma once

#include <string_view>

#include "models/file_seal.h"

namespace rsd {

// Its name in the folder models/ of the cache, and the SHA-256 that it must have.
std::string_view base_model_file() noexcept;
std::string_view base_model_hash() noexcept;
FileSeal base_model_seal();

}  // namespace rsd
