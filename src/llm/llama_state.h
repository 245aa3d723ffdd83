// The parts of an engine, which its scorers share.
#pragma once

#include <memory>
#include <optional>

#include "llm/block_encoder.h"
#include "llm/cache_room.h"
#include "llm/kv_cells.h"
#include "llm/llama_context.h"
#include "llm/llama_model.h"
#include "llm/prompt_cache.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

// Each outlives those below it.
struct LlamaEngine::State {
  std::unique_ptr<LlamaModel> model;
  std::unique_ptr<LlamaContext> context;
  std::optional<KvCells> cells;
  std::optional<CacheRoom> room;
  PromptCache prompts{0};
  bool reuses_beginnings = false;        // of prompts, not only whole ones
  std::unique_ptr<BlockEncoder> blocks;  // nullptr: info.why_no_blocks
  PromptReuse reuse;
  std::shared_ptr<const Tokenizer> tokenizer;
  ModelInfo info;
};

}  // namespace rsd
