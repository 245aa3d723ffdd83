#include "rsd/prompt/prompt.h"

namespace rsd {

std::size_t Prompt::n_seen() const noexcept {
  if (blocks.empty()) return tokens.size();
  std::size_t n_tokens = 0;
  for (const PromptBlock& block : blocks)
    n_tokens += block.kind == BlockKind::kCandidate ? 0 : block.n_tokens;
  return n_tokens;
}

std::size_t Prompt::end_position() const noexcept {
  return blocks.empty() ? tokens.size() : blocks.back().end_position();
}

}  // namespace rsd
