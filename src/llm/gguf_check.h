// What can be said of a GGUF file before llama.cpp reads it.
#pragma once

#include <gguf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

struct GgufFree {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufPtr = std::unique_ptr<gguf_context, GgufFree>;

// kNotFound when `path` can't be opened as a file, kInvalidInput when it is no GGUF, its header is
// damaged, or its metadata would make llama.cpp abort the process or throw (types, counts, tokens
// that repeat or lack).
// `what` names the file's role in the message: "model", "LoRA adapter". Cost: one reading of the
// metadata, no tensor data.
Result<void> check_gguf(std::string_view what, const std::string& path);

// The place of the metadata "<architecture>.<name>", -1 where there is none. Of a file that
// check_gguf has seen.
int64_t find_hyperparameter(const gguf_context* context, const std::string& name);

}  // namespace rsd
