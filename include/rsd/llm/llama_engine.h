// A local LLM: any decoder-only GGUF model that llama.cpp runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using LogSink = std::function<void(LogLevel, std::string_view line)>;

struct LoraFile {
  std::string path;
  float scale = 1.0F;
};

struct LlamaOptions {
  std::string model_path;
  std::vector<LoraFile> loras;  // applied together, in any order
  // Tokens that prompt and ranking may take; 0 = what the model was trained for, at most
  // kDefaultMaxContext. Memory grows with it.
  std::size_t context_size = 0;
  // Memory to keep encoded prompts in, so that one that comes again is not encoded again. 0: none.
  std::size_t prompt_cache_bytes = 0;
  int threads = 0;     // 0 = one per core
  int gpu_layers = 0;  // layers kept on the GPU, in builds that have one; -1 = all
  LogSink log;         // rsd's and llama.cpp's; one per process, the engine loaded last sets it
};

inline constexpr std::size_t kDefaultMaxContext = 8192;

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

// Not thread-safe: one thread at a time may use an engine and its scorers.
class LlamaEngine {
 public:
  // kInvalidArgument (an option out of range), kNotFound (no such file), kInvalidInput (not a GGUF,
  // truncated, or an adapter for another model), kUnsupported (an embedding or encoder model),
  // kMissingDependency (a CPU without the instructions that this build was made for), kRuntime (out
  // of memory).
  static Result<std::unique_ptr<LlamaEngine>> load(const LlamaOptions& options);

  LlamaEngine(const LlamaEngine&) = delete;
  LlamaEngine& operator=(const LlamaEngine&) = delete;
  ~LlamaEngine();

  const ModelInfo& info() const noexcept;
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept;

  // A scorer for one prompt; nothing is encoded yet. The engine has one cache: opening another
  // scorer takes it away from the one before, which then must not be used any more (LogicError).
  // The engine must outlive its scorers. kTooLong when prompt and ranking exceed the context.
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt);

 private:
  struct State;
  class Scorer;
  explicit LlamaEngine(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
