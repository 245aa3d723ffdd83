#include "llm/llama_model.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

#include "llm/chat_format.h"
#include "llm/log.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

// llama.cpp takes the context's batch in pieces of this many tokens.
constexpr std::uint32_t kMicroBatch = 512;

std::string reason(const LlamaErrorCapture& errors) {
  return errors.first().empty() ? "llama.cpp gave no reason" : errors.first();
}

std::string tokenizer_name(const llama_vocab* vocab) {
  switch (llama_vocab_type(vocab)) {
    case LLAMA_VOCAB_TYPE_SPM:
      return "SentencePiece";
    case LLAMA_VOCAB_TYPE_BPE:
      return "BPE";
    case LLAMA_VOCAB_TYPE_WPM:
      return "WordPiece";
    case LLAMA_VOCAB_TYPE_UGM:
      return "Unigram";
    case LLAMA_VOCAB_TYPE_RWKV:
      return "RWKV";
    default:
      return "other";
  }
}

// All files of a model that is split ("…-00001-of-00003.gguf"), else the one.
std::vector<std::string> model_files(const std::string& path) {
  constexpr std::string_view kFirst = "-00001-of-";
  constexpr std::size_t kDigits = 5;
  constexpr std::size_t kEnding = kFirst.size() + kDigits + std::string_view(".gguf").size();
  const std::size_t begin = path.size() - std::min(path.size(), kEnding);
  std::vector<std::string> files{path};
  if (path.compare(begin, kFirst.size(), kFirst) != 0) return files;
  const char* const count = path.data() + begin + kFirst.size();
  std::size_t n_files = 1;
  std::from_chars(count, count + kDigits, n_files);
  for (std::size_t n = 2; n <= n_files; ++n) {
    const std::string number = std::to_string(n);
    files.push_back(path);
    files.back().replace(begin + 1 + kDigits - number.size(), number.size(), number);
  }
  return files;
}

std::optional<RelevanceReading> parse_relevance_reading(std::string_view text) {
  RelevanceReading reading;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto scale = std::from_chars(begin, end, reading.scale);
  if (scale.ec != std::errc() || scale.ptr == end || *scale.ptr != ' ') return std::nullopt;
  const auto bias = std::from_chars(scale.ptr + 1, end, reading.bias);
  if (bias.ec != std::errc() || bias.ptr != end) return std::nullopt;
  if (!std::isfinite(reading.scale) || !std::isfinite(reading.bias)) return std::nullopt;
  return reading;
}

}  // namespace

Result<std::unique_ptr<LlamaModel>> LlamaModel::load(const LlamaOptions& options) {
  auto model = std::unique_ptr<LlamaModel>(new LlamaModel());
  model->path_ = options.model_path;
  if (!options.rpc_servers.empty()) {
    auto reached = RpcDistribution::over(
        {.servers = options.rpc_servers, .tensor_split = options.tensor_split}, options.model_path);
    if (!reached) return reached.error();
    model->machines_.emplace(*std::move(reached));
  }
  if (auto watched = model->watch_files(); !watched) return watched.error();
  if (auto loaded = model->load_weights(options); !loaded) return loaded.error();
  if (auto loaded = model->load_loras(options.loras); !loaded) return loaded.error();
  return model;
}

// Before they are loaded, so that a change meanwhile is seen.
Result<void> LlamaModel::watch_files() {
  for (const std::string& path : model_files(path_)) {
    auto watch = FileWatch::open(path);
    if (!watch && path == path_) return watch.error().within("model");
    if (watch) files_.push_back(*std::move(watch));
  }
  return {};
}

Result<void> LlamaModel::check_unchanged() const {
  for (const FileWatch& file : files_) {
    if (file.is_unchanged()) continue;
    return Error(ErrorCode::kRuntime, "model " + file.path() +
                                          " was written to or cut while it was in use; it is read "
                                          "again after a restart");
  }
  return {};
}

Result<void> LlamaModel::load_weights(const LlamaOptions& options) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  if (machines_) machines_->apply_to(params);
  is_offloaded_ = is_distributed() || (options.gpu_layers != 0 && llama_supports_gpu_offload());
  const LlamaErrorCapture errors;
  model_ =
      std::shared_ptr<llama_model>(llama_model_load_from_file(path_.c_str(), params), [](auto* of) {
        if (of) llama_model_free(of);
      });
  if (!model_) {
    return Error(ErrorCode::kInvalidInput,
                 "model " + path_ + " can't be loaded: " + reason(errors));
  }
  if (llama_model_has_encoder(model_.get()) || !llama_model_has_decoder(model_.get()) ||
      llama_model_is_diffusion(model_.get())) {
    return Error(ErrorCode::kUnsupported,
                 "model " + path_ + " is not a decoder-only language model");
  }
  return {};
}

Result<void> LlamaModel::load_loras(const std::vector<LoraFile>& files) {
  for (const auto& file : files) {
    const LlamaErrorCapture errors;
    loras_.emplace_back(llama_adapter_lora_init(model_.get(), file.path.c_str()));
    if (!loras_.back()) {
      return Error(ErrorCode::kInvalidInput,
                   "LoRA adapter " + file.path + " can't be put on the model: " + reason(errors));
    }
    lora_scales_.push_back(file.scale);
  }
  return {};
}

// Of a cache in this machine's memory: where layers are on other devices, so is their cache.
Result<void> LlamaModel::check_memory(std::size_t n_tokens) const {
  if (is_offloaded_) return {};
  constexpr std::size_t kOtherParts = std::size_t{64} << 20U;
  const llama_model* model = model_.get();
  const auto n_heads = static_cast<std::size_t>(std::max(llama_model_n_head(model), 1));
  const std::size_t row_bytes = sizeof(ggml_fp16_t) *
                                static_cast<std::size_t>(llama_model_n_embd(model)) *
                                static_cast<std::size_t>(llama_model_n_head_kv(model)) / n_heads;
  const std::size_t cell_bytes =
      2 * row_bytes * static_cast<std::size_t>(llama_model_n_layer(model));  // keys and values
  const std::size_t n_bytes = n_tokens * cell_bytes + kOtherParts;
  void* const probe =
      ::mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe != MAP_FAILED) {
    ::munmap(probe, n_bytes);
    return {};
  }
  return Error(ErrorCode::kRuntime, "no context of " + std::to_string(n_tokens) +
                                        " tokens can be made: it takes " +
                                        std::to_string(n_bytes >> 20U) + " MiB of memory");
}

// Adapters take effect on the context, all at once.
Result<ContextPtr> LlamaModel::new_context(llama_context_params params) const {
  params.n_batch = params.n_ctx;
  params.n_ubatch = std::min(kMicroBatch, params.n_ctx);
  const LlamaErrorCapture errors;
  ContextPtr made(llama_init_from_model(model_.get(), params));
  if (!made) {
    return Error(ErrorCode::kRuntime, "no context of " + std::to_string(params.n_ctx) +
                                          " tokens can be made: " + reason(errors));
  }
  std::vector<llama_adapter_lora*> adapters;
  adapters.reserve(loras_.size());
  for (const auto& lora : loras_)
    adapters.push_back(lora.get());
  if (adapters.empty()) return made;
  std::vector<float> scales = lora_scales_;
  if (llama_set_adapters_lora(made.get(), adapters.data(), adapters.size(), scales.data()) != 0)
    return Error(ErrorCode::kRuntime, "the LoRA adapters can't be applied together");
  return made;
}

std::size_t LlamaModel::n_vocabulary() const {
  return static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model_.get())));
}

std::size_t LlamaModel::trained_context() const {
  return static_cast<std::size_t>(llama_model_n_ctx_train(model_.get()));
}

bool LlamaModel::keeps_one_state() const {
  return llama_model_is_recurrent(model_.get()) || llama_model_is_hybrid(model_.get());
}

bool LlamaModel::slides() const {
  return llama_model_n_swa(model_.get()) > 0;
}

std::string LlamaModel::why_no_blocks() const {
  if (keeps_one_state()) return "a recurrent model's state is not made of tokens' cells";
  if (slides()) return "a sliding window hides cells by their positions";
  switch (llama_model_rope_type(model_.get())) {
    case LLAMA_ROPE_TYPE_MROPE:
    case LLAMA_ROPE_TYPE_IMROPE:
    case LLAMA_ROPE_TYPE_VISION:
      return "positions of several dimensions (M-RoPE) can't be laid side by side";
    default:
      return "";
  }
}

std::string LlamaModel::metadata(const char* key) const {
  std::array<char, 256> value{};
  const int32_t length = llama_model_meta_val_str(model_.get(), key, value.data(), value.size());
  return length < 0 ? "" : std::string(value.data());
}

std::string LlamaModel::own_value(const char* key) const {
  std::string found = metadata(key);
  for (const auto& lora : loras_) {
    std::array<char, 256> value{};
    if (llama_adapter_meta_val_str(lora.get(), key, value.data(), value.size()) >= 0)
      found = value.data();
  }
  return found;
}

Result<std::optional<RelevanceReading>> LlamaModel::relevance() const {
  const std::string value = own_value(kRelevanceKey);
  if (value.empty()) return std::optional<RelevanceReading>();
  const auto reading = parse_relevance_reading(value);
  if (reading) return reading;
  return Error(ErrorCode::kUnsupported, "model " + path_ + ": " + kRelevanceKey + " is \"" +
                                            shown_text(value) +
                                            "\"; it must be two numbers, the scale and the bias");
}

// The layout that it, or the last adapter that names one, is tuned for.
Result<std::optional<PromptLayout>> LlamaModel::prompt_layout() const {
  const std::string name = own_value(kPromptLayoutKey);
  if (name.empty()) return std::optional<PromptLayout>();
  const auto layout = parse_prompt_layout(name);
  if (layout) return layout;
  return Error(ErrorCode::kUnsupported, "model " + path_ + ": " + kPromptLayoutKey + " is \"" +
                                            shown_text(name) +
                                            "\"; this version knows sequence and blocks");
}

Result<ModelInfo> LlamaModel::describe() const {
  const auto layout = prompt_layout();
  if (!layout) return layout.error();
  const auto reading = relevance();
  if (!reading) return reading.error();
  std::array<char, 256> description{};
  llama_model_desc(model_.get(), description.data(), description.size());
  return ModelInfo{.path = path_,
                   .description = description.data(),
                   .architecture = metadata("general.architecture"),
                   .n_parameters = llama_model_n_params(model_.get()),
                   .size_bytes = llama_model_size(model_.get()),
                   .n_vocabulary = n_vocabulary(),
                   .trained_context = trained_context(),
                   .tokenizer = tokenizer_name(llama_model_get_vocab(model_.get())),
                   .chat_format = chat_text(model_.get(), false).plain ? "plain" : "own",
                   .keeps_partial_cache = !keeps_one_state(),
                   .why_no_blocks = why_no_blocks(),
                   .prompt_layout = *layout,
                   .relevance = *reading};
}

}  // namespace rsd
