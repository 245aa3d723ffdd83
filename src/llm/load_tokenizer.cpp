#include "rsd/llm/load_tokenizer.h"

#include <llama.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "llm/backend.h"
#include "llm/gguf_check.h"
#include "llm/hf_vocabulary.h"
#include "llm/llama_tokenizer.h"
#include "llm/log.h"

namespace rsd {
namespace {

// A file of ours that goes when this does.
class TemporaryFile {
 public:
  static Result<TemporaryFile> create() {
    std::error_code failure;
    std::string path =
        (std::filesystem::temp_directory_path(failure) / "rsd-vocabulary-XXXXXX").string();
    const int file = failure ? -1 : ::mkstemp(path.data());
    if (file < 0) return Error(ErrorCode::kRuntime, "no temporary file can be made");
    ::close(file);
    return TemporaryFile(std::move(path));
  }
  TemporaryFile(TemporaryFile&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove(path_, ignored);
  }

  const std::string& path() const noexcept { return path_; }

 private:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

std::shared_ptr<llama_model> load_vocabulary(const std::string& path) {
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  return {llama_model_load_from_file(path.c_str(), params), [](llama_model* loaded) {
            if (loaded) llama_model_free(loaded);
          }};
}

Result<std::shared_ptr<const Tokenizer>> load_gguf(const std::string& path) {
  if (auto found = check_gguf("model", path); !found) return found.error();
  if (auto started = start_backend(); !started) return started.error();
  const LlamaErrorCapture errors;
  const auto model = load_vocabulary(path);
  if (!model) {
    const std::string reason = errors.first().empty() ? "llama.cpp gave no reason" : errors.first();
    return Error(ErrorCode::kInvalidInput,
                 "the vocabulary of model " + path + " can't be loaded: " + reason);
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

// llama.cpp keeps nothing of the file once the vocabulary is loaded.
Result<std::shared_ptr<const Tokenizer>> load_json(const std::string& path) {
  const auto file = TemporaryFile::create();
  if (!file) return file.error();
  if (auto written = write_hf_vocabulary(path, file->path()); !written) return written.error();
  auto tokenizer = load_gguf(file->path());
  return tokenizer ? std::move(tokenizer) : tokenizer.error().within("tokenizer " + path);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::string& path, LogSink log) {
  route_llama_log(std::move(log));
  const std::filesystem::path named(path);
  std::error_code failure;
  if (std::filesystem::is_directory(named, failure))
    return load_json((named / "tokenizer.json").string());
  return named.extension() == ".json" ? load_json(path) : load_gguf(path);
}

}  // namespace rsd
