// Loads the tokenizer of a model that runs elsewhere.
#pragma once

#include <memory>
#include <string>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// `path` is a GGUF file, of which only the vocabulary and the chat format are read, so the weights
// may be missing; or Hugging Face's tokenizer.json, or its folder, with the tokenizer_config.json
// and chat_template.jinja next to it. The JSON form is supported for byte-level BPE of four
// families: gpt2, smollm, llama3, qwen2.
//
// `log` becomes the log of the process (llama_engine.h). kNotFound (no such file), kInvalidInput
// (damaged, of an unknown kind, a vocabulary with gaps), kUnsupported (another kind of tokenizer, a
// model without a vocabulary), kRuntime (no temporary file).
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& path, LogSink log);

}  // namespace rsd
