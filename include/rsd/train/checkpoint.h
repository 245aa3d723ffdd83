// An interrupted training, kept: where it stands, in a file of its own.
//
// CBOR with the fields "format" ("rsd.checkpoint"), "version" (kCheckpointVersion), and the states
// of the stages that have begun and are not done: "supervised", "initial_weights", "rpo".
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
  std::optional<SupervisedState> supervised;  // dropped when it is done
  // The agent that reinforcement learning starts from, once it is known, and how far that came.
  std::optional<std::vector<float>> initial_weights;
  std::optional<RpoState> rpo;
};

// The file's content. Write it with write_file_atomically (core/file.h).
std::string serialised(const Checkpoint& checkpoint);

// kInvalidInput: no checkpoint, damaged, truncated, of another version, or with a weight or figure
// that is not finite; the message names the field.
Result<Checkpoint> parse_checkpoint(std::string_view content);

}  // namespace rsd
