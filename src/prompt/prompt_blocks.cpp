#include "rsd/prompt/prompt_blocks.h"

namespace rsd {

bool sees(const PromptBlock& reader, const PromptBlock& other) noexcept {
  const bool is_same = reader.kind == other.kind && reader.item == other.item;
  switch (other.kind) {
    case BlockKind::kHead:
      return true;
    case BlockKind::kCandidate:
      return is_same || (reader.kind == BlockKind::kIdentifier && reader.item == other.item);
    case BlockKind::kQuery:
      return is_same || reader.kind == BlockKind::kIdentifier || reader.kind == BlockKind::kTail;
    case BlockKind::kIdentifier:
      return is_same || reader.kind == BlockKind::kTail;
    case BlockKind::kTail:
      return is_same;
  }
  return false;
}

std::size_t n_tokens_seen(std::span<const PromptBlock> blocks) noexcept {
  std::size_t n_seen = 0;
  for (const PromptBlock& block : blocks)
    n_seen += block.kind == BlockKind::kCandidate ? 0 : block.n_tokens;
  return n_seen;
}

}  // namespace rsd
