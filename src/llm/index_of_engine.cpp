#include "llm/index_of_engine.h"

#include <algorithm>
#include <utility>

#include "llm/block_encoder.h"
#include "llm/block_index.h"
#include "rsd/core/check.h"
#include "rsd/core/log_to.h"

namespace rsd {
namespace {

Result<std::vector<AdapterContent>> contents_of(const std::vector<LoraFile>& loras) {
  std::vector<AdapterContent> adapters;
  for (const LoraFile& lora : loras) {
    auto file = content_of(lora.path);
    if (!file) return file.error();
    adapters.push_back({.file = *std::move(file), .scale = lora.scale});
  }
  return adapters;
}

}  // namespace

Result<std::vector<std::uint8_t>> stored_state(std::span<const std::uint8_t> state,
                                               BlockType type) {
  if (type == BlockType::kQ8_0) return packed_q8_0(state);
  return std::vector<std::uint8_t>(state.begin(), state.end());
}

Result<IndexBasis> index_basis(LlamaEngine::State& engine, const std::string& task,
                               const std::vector<TokenId>& head, BlockType type) {
  if (!engine.blocks) {
    return Error(ErrorCode::kUnsupported,
                 "model " + engine.info.path +
                     " has no index: it takes no prompts in blocks: " + engine.info.why_no_blocks);
  }
  auto model = content_of(engine.info.path);
  if (!model) return model.error();
  auto adapters = contents_of(engine.info.loras);
  if (!adapters) return adapters.error();
  engine.context->set_deadline(std::nullopt);
  const BlockKey key{.scope = {}, .head = {}, .tokens = head};
  const auto encoded = engine.blocks->encode({&key, 1});
  if (!encoded) return encoded.error();
  const auto state = encoded->blocks.front()->state();
  auto layout = cell_layout(state);
  if (!layout) return layout.error();
  auto stored = stored_state(state, type);
  if (!stored) return stored.error();
  return IndexBasis{.key = {.model = *std::move(model),
                            .adapters = *std::move(adapters),
                            .cells = *std::move(layout),
                            .task = task,
                            .head = head,
                            .type = type},
                    .head_state = *std::move(stored)};
}

Result<void> attach_index(LlamaEngine::State& engine, std::shared_ptr<const CandidateIndex> index,
                          const LogSink& log) {
  const BlockIndex& blocks = index->blocks();
  const std::string& path = index->info().path;
  const auto here = index_basis(engine, blocks.key().task, blocks.key().head, blocks.key().type);
  if (!here) return here.error();
  if (const auto why = why_not_for(blocks.key(), here->key))
    return Error(ErrorCode::kInvalidInput, "index " + path + " " + *why);
  const auto theirs = blocks.head_state();
  if (!theirs) return theirs.error();
  if (!std::ranges::equal(*theirs, here->head_state)) {
    log_to(log, LogLevel::kWarning,
           "index " + path +
               " was written on another processor, or by another build: answers may differ from "
               "those without it by rounding");
  }
  engine.blocks->set_index(std::move(index));
  return {};
}

Result<void> LlamaEngine::use_index(std::shared_ptr<const CandidateIndex> index) {
  RSD_CHECK(state_->room->users().empty(), "an index while scorers are open");
  return attach_index(*state_, std::move(index), {});
}

}  // namespace rsd
