// Hugging Face's tokenizer.json as a vocabulary that llama.cpp reads.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Writes a GGUF file without tensors to `output`, from `path` (a tokenizer.json) and the
// tokenizer_config.json and chat_template.jinja beside it, where they are. Byte-level BPE only, of
// the families whose pre-tokenizer llama.cpp knows: gpt2, smollm, llama3, qwen2. Their
// pre-tokenizer sections are compared word for word. NFC normalisation is left out, as llama.cpp
// does: texts that aren't in that form may be tokenised differently. kNotFound, kInvalidInput (no
// tokenizer.json), kUnsupported (of another kind: says what), kRuntime (`output` can't be written).
Result<void> write_hf_vocabulary(const std::string& path, const std::string& output);

}  // namespace rsd
