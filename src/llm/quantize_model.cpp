#include <llama.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "llm/backend.h"
#include "llm/gguf_check.h"
#include "llm/log.h"
#include "rsd/llm/prepare_model.h"

namespace rsd {
namespace {

struct TypeRow {
  WeightType type;
  const char* name;
  llama_ftype file_type;
};

constexpr std::array kTypes{
    TypeRow{WeightType::kF32, "f32", LLAMA_FTYPE_ALL_F32},
    TypeRow{WeightType::kF16, "f16", LLAMA_FTYPE_MOSTLY_F16},
    TypeRow{WeightType::kBf16, "bf16", LLAMA_FTYPE_MOSTLY_BF16},
    TypeRow{WeightType::kQ8_0, "q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    TypeRow{WeightType::kQ5_1, "q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},
    TypeRow{WeightType::kQ5_0, "q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    TypeRow{WeightType::kQ4_1, "q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},
    TypeRow{WeightType::kQ4_0, "q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
};

const TypeRow& row_of(WeightType type) noexcept {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  return kTypes.front();
}

}  // namespace

std::string_view to_string(WeightType type) noexcept {
  return row_of(type).name;
}

Result<WeightType> parse_weight_type(std::string_view name) {
  std::string known;
  for (const TypeRow& row : kTypes) {
    if (name == row.name) return row.type;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return Error(ErrorCode::kInvalidArgument,
               "type \"" + std::string(name) + "\" is unknown; it must be one of " + known);
}

Result<void> quantize_model(const QuantizeOptions& options) {
  route_llama_log(options.log);
  if (options.threads < 0 || options.threads > 512) {
    return Error(ErrorCode::kInvalidArgument,
                 "threads is " + std::to_string(options.threads) + "; it must be 0 to 512");
  }
  if (auto checked = check_gguf("model", options.model_path); !checked) return checked;
  if (auto started = start_backend(); !started) return started;
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.nthread = options.threads;
  params.ftype = row_of(options.type).file_type;
  params.allow_requantize = true;
  const LlamaErrorCapture errors;
  errno = 0;
  if (llama_model_quantize(options.model_path.c_str(), options.output_path.c_str(), &params) == 0)
    return {};
  // llama.cpp doesn't report why a file can't be written.
  const std::string reason = errno != 0 ? " (" + std::generic_category().message(errno) + ")" : "";
  return Error(ErrorCode::kRuntime,
               "model " + options.model_path + " can't be stored as " +
                   std::string(to_string(options.type)) + " in " + options.output_path + reason +
                   ": " + (errors.first().empty() ? "llama.cpp gave no reason" : errors.first()));
}

}  // namespace rsd
