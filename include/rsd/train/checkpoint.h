// An interrupted training, kept: where it stands, in a file of its own.
//
// CBOR with the fields "format" ("rsd.checkpoint"), "version" (2), "stage" and the states of the
// stages that have begun.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/train/rpo.h"
#include "rsd/train/supervised.h"

namespace rsd {

struct Checkpoint {
  std::optional<SupervisedState> supervised;  // dropped when it is done
  // The agent that reinforcement learning starts from, once it is known, and how far that came.
  std::optional<std::vector<float>> initial_weights;
  std::optional<RpoState> rpo;
};

// The file's content. Write it with write_file_atomically (data/atomic_file.h).
std::string serialised(const Checkpoint& checkpoint);

// kInvalidInput: no checkpoint, damaged, truncated, or a newer version.
Result<Checkpoint> parse_checkpoint(std::string_view content);

}  // namespace rsd
