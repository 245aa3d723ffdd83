#include "llm/gguf_check.h"

#include <gguf.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "llm/log.h"

namespace rsd {
namespace {

Result<void> check_types(const gguf_context* context, const std::string& subject) {
  constexpr std::pair<const char*, gguf_type> kTypes[] = {
      {"general.type", GGUF_TYPE_STRING},         {"general.architecture", GGUF_TYPE_STRING},
      {"tokenizer.ggml.model", GGUF_TYPE_STRING}, {"adapter.type", GGUF_TYPE_STRING},
      {"adapter.lora.alpha", GGUF_TYPE_FLOAT32},
  };
  for (const auto& [key, type] : kTypes) {
    const int64_t at = gguf_find_key(context, key);
    if (at >= 0 && gguf_get_kv_type(context, at) != type) {
      return Error(ErrorCode::kInvalidInput,
                   subject + ": " + key + " must be of type " + gguf_type_name(type));
    }
  }
  return {};
}

Result<void> check_hyperparameters(const gguf_context* context, const std::string& subject) {
  constexpr std::uint32_t kMaxLayers = 512;  // LLAMA_MAX_LAYERS
  const int64_t layers = find_hyperparameter(context, "block_count");
  if (layers >= 0 && gguf_get_kv_type(context, layers) == GGUF_TYPE_UINT32) {
    const std::uint32_t count = gguf_get_val_u32(context, layers);
    if (count == 0 || count > kMaxLayers) {
      return Error(ErrorCode::kInvalidInput, subject + ": block_count is " + std::to_string(count) +
                                                 "; it must be 1 to " + std::to_string(kMaxLayers));
    }
  }
  for (const char* name : {"layer_norm_epsilon", "layer_norm_rms_epsilon", "group_norm_epsilon"}) {
    const int64_t at = find_hyperparameter(context, std::string("attention.") + name);
    if (at < 0 || gguf_get_kv_type(context, at) != GGUF_TYPE_FLOAT32) continue;
    const float epsilon = gguf_get_val_f32(context, at);
    if (!(epsilon >= 0.0F && epsilon <= 1.0F)) {
      return Error(ErrorCode::kInvalidInput, subject + ": attention." + name + " is " +
                                                 std::to_string(epsilon) + "; it must be 0 to 1");
    }
  }
  return {};
}

// SentencePiece falls back to bytes, and llama.cpp throws where one has no token.
Result<void> check_bytes(const std::unordered_set<std::string>& tokens,
                         const std::string& subject) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string token{'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'};
    if (!tokens.contains(token) && !tokens.contains(std::string(1, static_cast<char>(byte)))) {
      return Error(ErrorCode::kInvalidInput,
                   subject + ": its SentencePiece vocabulary has no token " + token);
    }
  }
  return {};
}

bool is_sentence_piece(const gguf_context* context) {
  const int64_t at = gguf_find_key(context, "tokenizer.ggml.model");
  return at >= 0 && std::string_view(gguf_get_val_str(context, at)) == "llama";
}

// llama.cpp names an empty token after its place.
Result<void> check_tokens(const gguf_context* context, const std::string& subject) {
  const int64_t at = gguf_find_key(context, "tokenizer.ggml.tokens");
  if (at < 0 || gguf_get_kv_type(context, at) != GGUF_TYPE_ARRAY ||
      gguf_get_arr_type(context, at) != GGUF_TYPE_STRING) {
    return {};  // llama.cpp says so itself
  }
  const std::size_t n_tokens = gguf_get_arr_n(context, at);
  std::unordered_set<std::string> seen;
  seen.reserve(n_tokens);
  for (std::size_t i = 0; i < n_tokens; ++i) {
    std::string token = gguf_get_arr_str(context, at, i);
    if (token.empty()) token = "[EMPTY_" + std::to_string(i) + "]";
    if (!seen.insert(std::move(token)).second) {
      return Error(ErrorCode::kInvalidInput, subject + ": token " + std::to_string(i) +
                                                 " repeats an earlier one; the file is damaged");
    }
  }
  return is_sentence_piece(context) ? check_bytes(seen, subject) : Result<void>();
}

// llama.cpp aborts the process over what is looked at here.
Result<void> check_metadata(const std::string& path, const std::string& subject) {
  const LlamaErrorCapture errors;
  const GgufPtr context(gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}));
  if (!context) {
    return Error(ErrorCode::kInvalidInput,
                 subject + " is damaged or truncated: " +
                     (errors.first().empty() ? "its header can't be read" : errors.first()));
  }
  if (auto checked = check_types(context.get(), subject); !checked) return checked;
  if (auto checked = check_hyperparameters(context.get(), subject); !checked) return checked;
  return check_tokens(context.get(), subject);
}

}  // namespace

int64_t find_hyperparameter(const gguf_context* context, const std::string& name) {
  const int64_t at = gguf_find_key(context, "general.architecture");
  if (at < 0) return -1;
  const std::string key = std::string(gguf_get_val_str(context, at)) + "." + name;
  return gguf_find_key(context, key.c_str());
}

Result<void> check_gguf(std::string_view what, const std::string& path) {
  const std::string subject = std::string(what) + " " + path;
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) {
    return Error(ErrorCode::kNotFound, subject + " does not exist");
  }
  if (std::filesystem::is_directory(path, failure)) {
    return Error(ErrorCode::kNotFound, subject + " is a folder, not a file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kNotFound, subject + " can't be opened");
  std::array<char, 4> magic{};
  if (!file.read(magic.data(), magic.size()) || std::string_view(magic.data(), 4) != "GGUF") {
    return Error(ErrorCode::kInvalidInput,
                 subject + " is no GGUF file: it doesn't begin with GGUF");
  }
  return check_metadata(path, subject);
}

}  // namespace rsd
