// An engine and the index of blocks that belongs to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/block_index_key.h"
#include "llm/llama_state.h"
#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/llm/candidate_index.h"

namespace rsd {

// What blocks depend on that an engine makes here, and the cells of their head.
struct IndexBasis {
  BlockIndexKey key;
  std::vector<std::uint8_t> head_state;  // as an index stores them
};

// Encodes the head. kUnsupported: no prompts in blocks, or no cells of this type; kNotFound,
// kRuntime.
Result<IndexBasis> index_basis(LlamaEngine::State& engine, const std::string& task,
                               const std::vector<TokenId>& head, BlockType type);

// The state of a block as an index of this type stores it. kUnsupported.
Result<std::vector<std::uint8_t>> stored_state(std::span<const std::uint8_t> state, BlockType type);

// From now on the engine takes blocks out of the index. kInvalidInput: the index is damaged, or not
// for this model, its adapters or its cache. Warns where the LLM rounds otherwise than the one that
// wrote it.
Result<void> attach_index(LlamaEngine::State& engine, std::shared_ptr<const CandidateIndex> index,
                          const LogSink& log);

}  // namespace rsd
