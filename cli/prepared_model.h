// Models that were prepared: adapters merged into the weights, the weights stored for speed. The
// default model is one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "file_seal.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/llm/prepare_model.h"

namespace rsd::cli {

// Of the default model.
inline constexpr WeightType kDefaultWeightType = WeightType::kF16;

// What is to be made of what.
struct Preparation {
  std::string model;
  std::string model_hash;  // SHA-256 that the model must have; empty = any
  std::vector<LoraFile> loras;
  WeightType type = kDefaultWeightType;
  std::string output;
  bool in_cache = false;  // the output is ours: processes take turns, and leftovers are removed
};

// The default model's: the LLM in the cache, the project's adapter, and a file in the cache whose
// name carries the hashes of both, so that a new adapter makes a new file; older ones stay until
// somebody deletes them. The LLM need not be there. kNotFound: the adapter is missing.
Result<Preparation> default_preparation(WeightType type);

// Makes the output, and "<output>.json" with the sources by hash and its own checksum, unless both
// are there and fit to the last byte; true where it had to be made. Nothing is written where
// nothing is missing. The output appears by a rename, whole or not at all. kNotFound,
// kInvalidInput, kUnsupported as merge_adapters; kInvalidArgument: the output is one of the inputs;
// kRuntime: it can't be written.
Result<bool> prepare(const Preparation& preparation, int threads);

// What tells that a prepared model isn't what was made, or that its record has no checksum; nullopt
// where the check finds nothing.
std::optional<std::string> find_damage(const std::string& model, Check check);

// The path of a model that a user names. kInvalidInput: a record of ours is beside it, and its size
// or samples are others. A model without one is taken as it is.
Result<std::string> checked_model(const std::string& model);

// Keeps in the cache which type the default model is to have on this machine: for this CPU and
// these parts. kRuntime: it can't be written.
Result<void> choose_default_type(WeightType type);

// The path of the default model, in the type that was chosen for this machine, else in
// kDefaultWeightType. It is prepared first where only its parts are there, or where the check finds
// damage. kNotFound tells how to get the parts; errors as of prepare().
Result<std::string> default_model(Check check = Check::kSamples);

}  // namespace rsd::cli
