// Is a model file still what was made or fetched? Prepared models keep a checksum in a record
// beside them, "<model>.json"; that of the LLM that the default model is made of is built in.
#pragma once

#include <optional>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

enum class DamageCheck {
  kSamples,  // size and samples: some milliseconds. Sees whatever is longer than a 1024th of the
             // file
  kWhole,    // every byte: about a second per gigabyte
};

// Why the model can't be trusted, such as "it has 5 bytes in place of 9", or that there is no
// checksum for it; nullopt where the check finds nothing.
std::optional<std::string> find_damage(const std::string& model, DamageCheck check);

// `model`, the path of a model that a user names. kInvalidInput: a record of ours is beside it, and
// its size or samples are others. A model without a record, or without a file, is taken as it is.
Result<std::string> checked_model(const std::string& model);

}  // namespace rsd
