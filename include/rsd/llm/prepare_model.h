// Prepares a model for speed: merges adapters into the weights, and stores the weights in another
// type. An adapter at run time adds nodes to every encoding; a merged one costs nothing.
//
// Both functions read and write GGUF files, load no LLM and make no encodings. An output file that
// exists after a failure is not a model: write to a temporary name and rename. Safe to call from
// several threads for different outputs, except for `log`, which is the log of the process
// (llama_engine.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

// The types of stored weights, by llama.cpp's names: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0.
// llama.cpp keeps small tensors and, for the smaller types, the output head at higher precision.
enum class WeightType { kF32, kF16, kBf16, kQ8_0, kQ5_1, kQ5_0, kQ4_1, kQ4_0 };

std::string_view to_string(WeightType type) noexcept;
// kInvalidArgument for other names; the message lists them.
Result<WeightType> parse_weight_type(std::string_view name);

struct MergeOptions {
  std::string model_path;
  std::vector<LoraFile> loras;  // summed, in any order
  std::string output_path;      // overwritten; must be none of the other files
  LogSink log;
};

// Writes the model with W + sum of scale * alpha / rank * B A in place of each W that an adapter
// changes (alpha = rank if the adapter has none), as llama.cpp computes it at run time. Changed
// tensors are F32 if the model has them in F32 or BF16, else F16. Everything else is kept byte by
// byte, metadata included, except general.file_type, which names the type of the changed ones. As
// in llama.cpp, adapter tensors of norms are ignored.
//
// Memory: two rows and an adapter's pair of matrices.
//
// kNotFound (a file is missing), kInvalidInput (not a GGUF file, damaged, truncated; an adapter
// that is not a LoRA, for another architecture, with a tensor that the model lacks, half a pair, an
// unknown suffix or another shape; values that are not finite), kUnsupported (a model of several
// files, activated LoRA, adapters of embeddings or of tensors of more than two dimensions),
// kRuntime (the output can't be written). Messages name file and tensor.
Result<void> merge_adapters(const MergeOptions& options);

struct QuantizeOptions {
  std::string model_path;
  std::string output_path;  // overwritten; must not be `model_path`
  WeightType type = WeightType::kQ8_0;
  int threads = 0;  // 0 = one per core
  LogSink log;
};

// Writes the model with its weights in `type`, even if the present type has lost precision.
// kNotFound and kInvalidInput as above, kInvalidArgument (threads out of range), kRuntime (with
// llama.cpp's reason).
Result<void> quantize_model(const QuantizeOptions& options);

}  // namespace rsd
