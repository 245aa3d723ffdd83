// The tokens of a prompt, and the identifiers of its items.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

// Identifiers: one token per candidate, the same in the prompt and in the answer.
// `texts[i]` is the text of `tokens[i]`, including its leading space if it has one.
struct Identifiers {
  std::vector<IdentifierToken> tokens;
  std::vector<std::string> texts;

  std::size_t size() const noexcept { return tokens.size(); }
};

// Prompts in blocks (docs/blocks.md): which tokens stand at which positions, and which of them see
// which others.
//
//     head         the instruction; no query, no number of candidates
//     candidate i  its text                      sees head, itself
//     query        or history                    sees head, itself
//     identifier i "=" and its identifier        sees head, candidate i, query, itself
//     tail         how the answer begins         sees head, query, all identifiers, itself
//
// Within a block a token sees those up to itself. The answer sees what the tail sees. Candidates
// and query start at the same position, after the head. So a candidate's block depends on the head
// and its own text alone: what an LLM has computed for it can be kept.
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

struct Prompt {
  std::vector<TokenId> tokens;               // the first identifier of the answer follows them
  std::vector<IdentifierToken> identifiers;  // one per item
  std::size_t truncated_candidates = 0;      // texts that were cut
  std::optional<std::size_t> text_limit;     // to this many tokens each; nullopt = none was cut
  bool truncated_query = false;              // the query was cut, or titles of the history
  // With `layout: blocks`: head, candidates, query, identifiers and tail, in the order of the
  // tokens. Empty: every token sees all tokens before it.
  std::vector<PromptBlock> blocks{};
  // Prompts reuse what the LLM keeps of prompts with the same scope only: clients that must not
  // learn of each other's prompts have different scopes.
  std::string cache_scope{};

  // Tokens that the answer sees, which the LLM's cache has to hold while it is decoded.
  std::size_t n_seen() const noexcept;
  // The position of the answer's first token.
  std::size_t end_position() const noexcept;
};

}  // namespace rsd
