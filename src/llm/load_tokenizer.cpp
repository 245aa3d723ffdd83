#include "rsd/llm/load_tokenizer.h"

#include <llama.h>

#include <exception>
#include <utility>

#include "llm/backend.h"
#include "llm/gguf_check.h"
#include "llm/llama_tokenizer.h"
#include "llm/log.h"

namespace rsd {
namespace {

std::shared_ptr<llama_model> load_vocabulary(const std::string& path) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  return {llama_model_load_from_file(path.c_str(), params), [](llama_model* loaded) {
            if (loaded) llama_model_free(loaded);
          }};
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& path, LogSink log) {
  route_llama_log(std::move(log));
  if (auto found = check_gguf("model", path); !found) return found.error();
  if (auto started = start_backend(); !started) return started.error();
  const LlamaErrorCapture errors;
  const auto model = load_vocabulary(path);
  if (!model) {
    return Error(ErrorCode::kInvalidInput,
                 "the vocabulary of model " + path + " can't be loaded: " +
                     (errors.first().empty() ? "llama.cpp gave no reason" : errors.first()));
  }
  if (llama_vocab_type(llama_model_get_vocab(model.get())) == LLAMA_VOCAB_TYPE_NONE)
    return Error(ErrorCode::kUnsupported, "model " + path + " has no vocabulary");
  try {
    return std::shared_ptr<const Tokenizer>(std::make_shared<LlamaTokenizer>(model));
  } catch (const std::exception& failure) {  // llama.cpp's, over a vocabulary with holes
    return Error(ErrorCode::kInvalidInput,
                 "model " + path + ": its tokenizer fails: " + failure.what());
  }
}

}  // namespace rsd
