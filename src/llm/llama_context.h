// Runs the LLM's passes: a llama.cpp context for a LlamaModel, whose graph ends before the output
// head where rsd can compute the identifiers' logits itself.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "llm/graph_tap.h"
#include "llm/llama_model.h"
#include "llm/output_head.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

// The tokens of one part of a pass, to be encoded after what the cache holds of a sequence.
struct PartTokens {
  std::span<const TokenId> tokens;
  std::size_t first_position = 0;  // of tokens[0] in the sequence
  std::size_t first_output = 0;    // index of the first token whose output is wanted
  std::size_t sequence = 0;
};

// What the LLM gives for a token: its last hidden state where the output head is cut off, else its
// logits by vocabulary. `part` and `token` are indices.
using OnOutput =
    std::function<void(std::size_t part, std::size_t token, std::span<const float> output)>;

struct ContextOptions {
  std::size_t n_cells = 0;  // to begin with
  std::size_t n_sequences = 1;
  int threads = 1;
};

// Not thread-safe. llama.cpp holds its address.
class LlamaContext {
 public:
  // The model outlives it. kRuntime (memory), kUnsupported (a model without a cache).
  static Result<std::unique_ptr<LlamaContext>> create(const LlamaModel& model,
                                                      const ContextOptions& options);
  LlamaContext(const LlamaContext&) = delete;
  LlamaContext& operator=(const LlamaContext&) = delete;

  // llama.cpp's own; it changes with resize().
  llama_context* get() const noexcept { return context_.get(); }
  std::size_t n_cells() const { return llama_n_ctx(context_.get()); }
  // The cache is empty afterwards. kRuntime: the memory is lacking, and it has its old size.
  Result<void> resize(std::size_t n_cells);
  // Another context for the model, of which up to kMaxOutputs tokens of a pass may have an output.
  // Its passes (run_beside()) end at this one's deadline; this one outlives it.
  Result<ContextPtr> new_context_beside(std::size_t n_cells, std::size_t n_sequences);

  // The first encoding of a process reads the weights from the disk and starts the threads. That is
  // done here, so that no request is billed for it and no deadline is missed by it. It computes the
  // whole graph, which shows whether the output head can be cut off, and cuts it off. Returns
  // nullopt, or why it can't be. Errors as of decode().
  Result<std::optional<std::string>> warm_up();
  // The identifiers' rows of the output head; nullopt where it is not cut off. kRuntime when
  // reading the file breaks off.
  Result<std::optional<IdentifierHead>> rows_of(std::span<const IdentifierToken> identifiers);
  // From now on passes give the logits of the whole vocabulary.
  void compute_all_logits() { tap_.let_pass(); }
  // From now on they end before the output head again, if warm_up() has found that they can.
  void cut_head();

  // The deadline of run(), until another is set.
  void set_deadline(std::optional<Clock::time_point> give_up_at) { give_up_at_ = give_up_at; }
  // Encodes the parts together, in batches of kMaxOutputs rows at most. `on_output` is called for
  // every token >= first_output of each part while its output can be read. kDeadlineExceeded,
  // kRuntime: part of it may be in the cache.
  Result<void> decode(std::span<const PartTokens> parts,
                      std::optional<Clock::time_point> give_up_at, const OnOutput& on_output);
  // One llama_decode in a context of new_context_beside(). Gives the last hidden states of the
  // tokens with output, [n, n_embd], valid until the next pass; they are wanted only where the
  // output head is cut off. Errors as of decode().
  Result<std::span<const float>> run_beside(llama_context* in, const llama_batch& batch);
  // Time of all passes so far.
  double passes_ms() const noexcept { return passes_ms_; }

 private:
  explicit LlamaContext(const LlamaModel& model) : model_(model) {}

  Result<void> make(std::size_t n_cells);
  Result<void> run(llama_context* in, const llama_batch& batch);
  std::optional<std::string> find_head(std::span<const float> logits);
  Result<std::span<const float>> output(std::size_t number, int32_t at_in_batch) const;

  const LlamaModel& model_;
  std::optional<Clock::time_point> give_up_at_;
  double passes_ms_ = 0;
  GraphTap tap_;
  GraphTap tap_beside_;             // of all contexts of new_context_beside()
  std::optional<OutputHead> head_;  // nullopt: the LLM computes the logits of the whole vocabulary
  llama_context_params params_{};   // with the addresses of tap_ and give_up_at_
  ContextPtr context_;
};

// Rows of logits that one batch may give: bounds the memory for [rows, vocabulary].
inline constexpr std::size_t kMaxOutputs = 128;

}  // namespace rsd
