// The tokenizer of a model that runs elsewhere.
#pragma once

#include <memory>
#include <string>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

// Reads the vocabulary and the chat format of a GGUF file, and none of its weights, which need not
// be there; or Hugging Face's tokenizer.json, named itself or by its folder, with the
// tokenizer_config.json and chat_template.jinja beside it. Of the latter byte-level BPE of four
// families: gpt2, smollm, llama3, qwen2.
//
// `log` is the process's (llama_engine.h). kNotFound (no such file), kInvalidInput (damaged, of no
// known kind, a vocabulary with holes), kUnsupported (a tokenizer of another kind, a model without
// a vocabulary), kRuntime (no temporary file).
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& path, LogSink log);

}  // namespace rsd
