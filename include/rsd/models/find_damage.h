// Compares a model file with its checksum. Prepared models have theirs in a record next to them,
// "<model>.json"; that of the LLM from which the default model is made is built in.
#pragma once

#include <optional>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

enum class DamageCheck {
  kSamples,  // size and samples: some milliseconds. Finds damage that is longer than a 1024th of
             // the file
  kWhole,    // every byte: about a second per gigabyte
};

// The reason why the model can't be trusted, such as "it has 5 bytes in place of 9", or that there
// is no checksum for it; nullopt if the check finds no damage.
std::optional<std::string> find_damage(const std::string& model, DamageCheck check);

// Returns `model`, the path of a model that a user names. kInvalidInput: it has a record of ours,
// but another size or other samples. A path without a record, or without a file, is returned
// unchecked.
Result<std::string> checked_model(const std::string& model);

}  // namespace rsd
