// A local LLM: any decoder-only GGUF model that llama.cpp runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/llm/candidate_index.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

struct LoraFile {
  std::string path;
  float scale = 1.0F;
};

// How much of an earlier prompt's encoding may be reused.
enum class PromptReuseMode {
  kBeginnings,    // the longest common beginning of a prompt and an earlier one
  kWholePrompts,  // identical prompts only, so that logits don't depend on earlier requests
};

struct LlamaOptions {
  std::string model_path;
  std::vector<LoraFile> loras;  // applied together, in any order
  // Limit for the tokens of prompt and ranking together; 0 = the model's training context, at most
  // kDefaultMaxContext. Memory is allocated only for as many as the longest prompts so far needed.
  std::size_t context_size = 0;
  // Memory for encoded prompts. A beginning of kMinReusedTokens or more that a prompt shares with
  // one of them, or with the last prompt, is not encoded again. The rest of the prompt is then a
  // different batch, which rounds differently. 0: nothing is reused. Recurrent models and those
  // with sliding windows reuse whole prompts only. For prompts in blocks as much memory again keeps
  // candidates and queries for any prompt; the logits don't depend on what is kept.
  std::size_t prompt_cache_bytes = 0;
  // Memory for the candidates and queries of prompts in blocks in place of prompt_cache_bytes.
  std::optional<std::size_t> block_cache_bytes = std::nullopt;
  // Candidates whose blocks need not be encoded. Null: none.
  std::shared_ptr<const CandidateIndex> index = nullptr;
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  // The most requests open at a time, 1 to kMaxParallel. They share the context's tokens. Recurrent
  // models and those with sliding windows take one.
  std::size_t parallel = 1;
  int threads = 0;     // 0 = one per core
  int gpu_layers = 0;  // layers on the GPU, in builds with GPU support; -1 = all
  // RPC servers (rpc_server.h), "HOST:PORT", that compute the layers, in proportion to their free
  // memory: all layers, or the last gpu_layers ones if that isn't 0. For trusted networks only. A
  // broken connection ends the process (on_ggml_abort), and deadlines are checked only between
  // passes.
  std::vector<std::string> rpc_servers;
  // The servers' shares of the layers, in place of shares by memory: one per server, 0 or more, at
  // least one above 0.
  std::vector<double> tensor_split;
  LogSink log;  // for rsd's and llama.cpp's lines; one per process, set by the engine loaded last
};

// A GGUF model's or adapter's own name for its layout, "sequence" or "blocks".
inline constexpr const char* kPromptLayoutKey = "rsd.prompt_layout";

// A GGUF model's or adapter's own key for how it reads relevance: "SCALE BIAS".
inline constexpr const char* kRelevanceKey = "rsd.relevance";

// A prompt in blocks has, in front of each candidate's identifier, read this candidate and the
// query and nothing else. What the LLM would say next there, " yes" or " no", makes the probability
// that the candidate is relevant: the sigmoid of scale * (logit of " yes" - logit of " no") + bias.
// It is the same whatever else is in the list (docs/blocks.md, "Relevance").
struct RelevanceReading {
  double scale = 1;
  double bias = 0;
};

struct ModelInfo {
  std::string path;
  std::vector<LoraFile> loras;  // that are applied to it
  std::string description;      // architecture, size and quantisation, in llama.cpp's words
  std::string architecture;     // general.architecture
  std::uint64_t n_parameters = 0;
  std::uint64_t size_bytes = 0;
  std::size_t n_vocabulary = 0;
  std::size_t trained_context = 0;
  std::size_t context_size = 0;     // in use
  std::string tokenizer;            // BPE, SPM, …
  std::string chat_format;          // "own", or "plain" if it has none or an unknown one
  std::string output_head;          // "identifiers only", or "whole vocabulary: " and the reason
  bool keeps_partial_cache = true;  // false (recurrent, hybrid): every change re-encodes the prompt
  std::string why_no_blocks;        // it takes no prompts in blocks; empty: it does
  // The layout that it, or an adapter, says that it is tuned for (kPromptLayoutKey).
  std::optional<PromptLayout> prompt_layout;
  // It, or an adapter, was tuned to read relevance (kRelevanceKey), and can do so here.
  std::optional<RelevanceReading> relevance;
};

// Shorter common beginnings, such as the instruction alone, save too little to justify different
// rounding.
inline constexpr std::size_t kMinReusedTokens = 64;

// An LLM in this process. Not thread-safe: one thread at a time may use an engine and its scorers.
class LlamaEngine final : public TimedEngine {
 public:
  // kInvalidArgument (an option out of range), kNotFound (no such file), kInvalidInput (not a GGUF
  // file, truncated, or an adapter for another model), kUnsupported (an embedding or encoder
  // model, or an index of another one), kMissingDependency (a CPU without the instructions that
  // this build uses), kRuntime (out of memory, an RPC server that can't be reached).
  static Result<std::unique_ptr<LlamaEngine>> load(const LlamaOptions& options);

  LlamaEngine(const LlamaEngine&) = delete;
  LlamaEngine& operator=(const LlamaEngine&) = delete;
  ~LlamaEngine() override;

  const ModelInfo& info() const noexcept;
  std::string model_name() const override { return info().path; }
  std::size_t context_size() const noexcept override { return info().context_size; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override;
  PromptReuse prompt_reuse() const noexcept override;
  double passes_ms() const noexcept override;

  // LlamaOptions::index, from now on. No scorer may be open. Errors as in load(); the engine is
  // then as it was.
  Result<void> use_index(std::shared_ptr<const CandidateIndex> index);

  Result<GenerationTimes> time_generation(std::span<const TokenId> prompt,
                                          std::span<const TokenId> answer) override;

  // All open scorers share the engine's one cache. Opening more than options.parallel replaces the
  // oldest scorer, which must not be used any more (LogicError). Errors: see LlmEngine::open,
  // kRuntime when prompt and ranking exceed the space that the other scorers leave, and
  // kUnsupported for a prompt in blocks if the model can't take it (why_no_blocks).
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override;
  bool has_room(const Prompt& prompt) const noexcept override;
  // The cache may grow by this room, beyond context_size().
  void reserve_places(std::size_t n_places) override;
  std::optional<PromptLayout> prompt_layout() const override { return info().prompt_layout; }
  bool reads_relevance() const override { return info().relevance.has_value(); }
  std::string why_no_blocks() const override { return info().why_no_blocks; }
  Result<void> calibrate(CostModel& costs) override;

  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override;

  struct State;  // src/llm

 private:
  friend class CandidateIndexWriter;
  explicit LlamaEngine(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
