// The tokenizer of a model that runs elsewhere.
#pragma once

#include <memory>
#include <string>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Reads the vocabulary and the chat format of a GGUF file, and none of its weights, which need not
// be there. `log` is the process's (llama_engine.h). kNotFound (no such file), kInvalidInput (not a
// GGUF, truncated, a vocabulary with holes), kUnsupported (a model without a vocabulary).
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& path, LogSink log);

}  // namespace rsd
