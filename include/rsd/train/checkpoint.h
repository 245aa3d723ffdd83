// The file format of a checkpoint: the state of an interrupted training.
//
// CBOR with the fields "format" ("rsd.checkpoint"), "version" (kCheckpointVersion), and the states
// of stages that are started and not finished: "supervised", "initial_weights", "rpo".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/train/rpo.h"
#include "rsd/train/supervised.h"

namespace rsd {

inline constexpr int kCheckpointVersion = 2;

struct Checkpoint {
  std::optional<SupervisedState> supervised;  // empty once the stage is finished
  // The weights that reinforcement learning starts from, once they exist, and its state.
  std::optional<std::vector<float>> initial_weights;
  std::optional<RpoState> rpo;
};

// Returns the file's content. Write it with write_file_atomically (core/file.h).
std::string serialised(const Checkpoint& checkpoint);

// kInvalidInput: not a checkpoint, damaged, truncated, another version, or a weight or figure that
// is not finite; the message names the field.
Result<Checkpoint> parse_checkpoint(std::string_view content);

}  // namespace rsd
