#include "rsd/prompt/prompt_blocks.h"

namespace rsd {

std::size_t n_tokens_seen(std::span<const PromptBlock> blocks) noexcept {
  std::size_t n_seen = 0;
  for (const PromptBlock& block : blocks)
    n_seen += block.kind == BlockKind::kCandidate ? 0 : block.n_tokens;
  return n_seen;
}

}  // namespace rsd
