// Prompts in blocks: which tokens stand at which positions, and which of them see which others
// (docs/blocks.md).
//
//     head         the instruction; no query, no number of candidates
//     candidate i  its text                      sees head, itself
//     query        or history                    sees head, itself
//     identifier i "=" and its identifier        sees head, candidate i, query, itself
//     tail         how the answer begins         sees head, query, all identifiers, itself
//
// Within a block a token sees those up to itself. The answer sees what the tail sees.
//
// Candidates and query start at the same position, behind the head. So a candidate's block depends
// on the head and its own text alone: what an LLM has made of it can be kept.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "rsd/core/index.h"

namespace rsd {

enum class BlockKind { kHead, kCandidate, kQuery, kIdentifier, kTail };

// Tokens of a prompt that follow each other, in place and in position.
struct PromptBlock {
  BlockKind kind = BlockKind::kHead;
  std::size_t first = 0;     // of Prompt::tokens
  std::size_t n_tokens = 0;  // at least 1
  std::size_t position = 0;  // of its first token
  ItemId item;               // of a candidate or an identifier

  std::size_t end_position() const noexcept { return position + n_tokens; }
};

// Tokens that the answer sees: all but those of the candidates.
std::size_t n_tokens_seen(std::span<const PromptBlock> blocks) noexcept;

}  // namespace rsd
