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
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

struct LoraFile {
  std::string path;
  float scale = 1.0F;
};

// Of prompts that were encoded before.
enum class PromptReuseMode {
  kBeginnings,    // whatever a prompt has in common with an earlier one, from its beginning on
  kWholePrompts,  // the same prompts only: the logits don't depend on what was encoded before
};

struct LlamaOptions {
  std::string model_path;
  std::vector<LoraFile> loras;  // applied together, in any order
  // Tokens that prompt and ranking may take; 0 = what the model was trained for, at most
  // kDefaultMaxContext. Memory for as many as the longest prompts so far have needed is taken.
  std::size_t context_size = 0;
  // Memory to keep encoded prompts in: what a later prompt has in common with one of them, or with
  // the last one, from its beginning on is not encoded again, if it is kMinReusedTokens or more.
  // The rest of it is then another batch, which rounds differently. 0: nothing is used again.
  // Models with sliding windows and recurrent ones use whole prompts again only.
  std::size_t prompt_cache_bytes = 0;
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  // Requests that may be open at a time, 1 to kMaxParallel. They share the context's tokens.
  // Recurrent models and those with sliding windows take one.
  std::size_t parallel = 1;
  int threads = 0;     // 0 = one per core
  int gpu_layers = 0;  // layers kept on the GPU, in builds that have one; -1 = all
  // Machines that compute the layers, "HOST:PORT" of RPC servers (rpc_server.h), in proportion to
  // their free memory; all layers, or the last gpu_layers ones where that isn't 0. Trusted networks
  // only. A connection that breaks ends the process (on_ggml_abort), and a deadline is looked at
  // between passes only.
  std::vector<std::string> rpc_servers;
  // Their shares of the layers in place of those by memory, one for each server: 0 or more, one of
  // them above 0.
  std::vector<double> tensor_split;
  LogSink log;  // rsd's and llama.cpp's; one per process, the engine loaded last sets it
};

struct ModelInfo {
  std::string path;
  std::string description;   // architecture, size and quantisation, as llama.cpp names them
  std::string architecture;  // general.architecture
  std::uint64_t n_parameters = 0;
  std::uint64_t size_bytes = 0;
  std::size_t n_vocabulary = 0;
  std::size_t trained_context = 0;
  std::size_t context_size = 0;     // in use
  std::string tokenizer;            // BPE, SPM, …
  std::string chat_format;          // "own", or "plain" where it has none that is known
  std::string output_head;          // "identifiers only", or "whole vocabulary: " and why
  bool keeps_partial_cache = true;  // false (recurrent, hybrid): every change re-encodes the prompt
};

// Shorter common beginnings, such as the instruction, aren't worth another rounding.
inline constexpr std::size_t kMinReusedTokens = 64;

// What it takes to generate a text behind a prompt.
struct GenerationTimes {
  double prefill_ms = 0;
  double decode_ms = 0;
};

// Not thread-safe: one thread at a time may use an engine and its scorers.
class LlamaEngine final : public LlmEngine {
 public:
  // kInvalidArgument (an option out of range), kNotFound (no such file), kInvalidInput (not a GGUF,
  // truncated, or an adapter for another model), kUnsupported (an embedding or encoder model),
  // kMissingDependency (a CPU without the instructions that this build was made for), kRuntime (out
  // of memory, an RPC server that can't be reached).
  static Result<std::unique_ptr<LlamaEngine>> load(const LlamaOptions& options);

  LlamaEngine(const LlamaEngine&) = delete;
  LlamaEngine& operator=(const LlamaEngine&) = delete;
  ~LlamaEngine() override;

  const ModelInfo& info() const noexcept;
  std::string model_name() const override { return info().path; }
  std::size_t context_size() const noexcept override { return info().context_size; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override;
  PromptReuse prompt_reuse() const noexcept override;
  // Time that the LLM's passes have taken so far, without what we do before and behind them.
  double passes_ms() const noexcept;

  // Writes `answer` behind `prompt` token by token, as programs do that let an LLM generate its
  // ranking as a text: the logits of the whole vocabulary at each step, and the highest looked for,
  // whatever it is. For comparisons of speed. No scorer may be open (LogicError). kTooLong as in
  // open(), kRuntime when the LLM fails. Cost: one pass for the prompt and one a token of `answer`
  // but the last.
  Result<GenerationTimes> time_generation(std::span<const TokenId> prompt,
                                          std::span<const TokenId> answer);

  // The engine has one cache, which the scorers that are open share: one more than options.parallel
  // takes the place of the oldest, which then must not be used any more (LogicError). Besides the
  // errors of LlmEngine kRuntime, when prompt and ranking exceed what the others leave of it.
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override;
  bool has_room(const Prompt& prompt) const noexcept override;
  // The cache may grow by the room for them, beyond context_size().
  void reserve_places(std::size_t n_places) override;

  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override;

 private:
  struct State;
  class Scorer;
  explicit LlamaEngine(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
