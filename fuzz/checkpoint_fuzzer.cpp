// The state of an interrupted training.
#include <string>

#include "fuzz/target.h"
#include "rsd/train/checkpoint.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const auto checkpoint = parse_checkpoint(input);
  if (!is_value(checkpoint)) return;
  const std::string written = serialised(*checkpoint);
  const auto again = parse_checkpoint(written);
  require(is_value(again), "a checkpoint that was written can be read");
  require(serialised(*again) == written, "a checkpoint is written as it was read");
}

}  // namespace rsd::fuzz
