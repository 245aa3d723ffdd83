#include "llm/hf_vocabulary.h"

#include <gguf.h>
#include <llama.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "json/read_json.h"
#include "llm/gguf_check.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

// Ids beyond it belong to no vocabulary that we know of.
constexpr std::size_t kMaxTokens = 1'000'000;

Error unsupported(const std::string& what) {
  return {ErrorCode::kUnsupported, what + "; a GGUF of the model will do"};
}

// --- the pre-tokenizer ---------------------------------------------------------------------------

constexpr const char* kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

bool is_byte_level(const Json& part, bool splits_words) {
  return part.value("type", "") == "ByteLevel" && !part.value("add_prefix_space", true) &&
         part.value("use_regex", true) == splits_words;
}

bool is_split(const Json& part, const char* regex) {
  return part.value("type", "") == "Split" && part.value("behavior", "") == "Isolated" &&
         !part.value("invert", true) && part.at("pattern").value("Regex", "") == regex;
}

// llama.cpp's name for it; nullptr where it isn't one of those that we know.
const char* pre_tokenizer_name(const Json& section) {
  if (is_byte_level(section, true)) return "gpt-2";
  if (section.value("type", "") != "Sequence") return nullptr;
  const Json& parts = section.at("pretokenizers");
  if (parts.size() != 2) return nullptr;
  const bool digits =
      parts[0].value("type", "") == "Digits" && parts[0].value("individual_digits", false);
  if (digits && is_byte_level(parts[1], true)) return "smollm";
  if (!is_byte_level(parts[1], false)) return nullptr;
  if (is_split(parts[0], kLlama3Regex)) return "llama-bpe";
  return is_split(parts[0], kQwen2Regex) ? "qwen2" : nullptr;
}

// --- the vocabulary ------------------------------------------------------------------------------

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges;
  const char* pre_tokenizer = nullptr;

  void put(std::size_t id, std::string text, llama_token_type type) {
    if (id >= tokens.size()) {
      types.resize(id + 1, LLAMA_TOKEN_TYPE_UNUSED);
      tokens.resize(id + 1);
    }
    tokens[id] = std::move(text);
    types[id] = type;
  }
  std::optional<std::size_t> id_of(const std::string& text) const {
    const auto found = std::ranges::find(tokens, text);
    if (found == tokens.end()) return std::nullopt;
    return static_cast<std::size_t>(found - tokens.begin());
  }
};

Result<void> check_kind(const Json& file) {
  const Json& model = file.at("model");
  // Old files don't name the kind of a model; only BPE has merges.
  const bool is_bpe = model.value("type", "BPE") == "BPE" && model.contains("merges");
  if (!is_bpe) return unsupported("its model is no BPE");
  if (model.value("byte_fallback", false)) return unsupported("its BPE is not one of bytes");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const bool is_set = model.contains(affix) && !model.at(affix).is_null();
    if (is_set && !model.at(affix).get_ref<const std::string&>().empty())
      return unsupported(std::string("it has a ") + affix);
  }
  const Json normalizer = file.value("normalizer", Json());
  if (!normalizer.is_null() && normalizer.value("type", "") != "NFC")
    return unsupported("it has a normalizer other than NFC");
  return {};
}

std::string merge_of(const Json& merge) {
  if (merge.is_string()) return merge.get<std::string>();
  return merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>();
}

Result<Vocabulary> vocabulary_of(const Json& file) {
  if (auto right = check_kind(file); !right) return right.error();
  Vocabulary vocabulary;
  vocabulary.pre_tokenizer = pre_tokenizer_name(file.at("pre_tokenizer"));
  if (!vocabulary.pre_tokenizer)
    return unsupported("its pre-tokenizer is none of gpt2, smollm, llama3, qwen2");
  const auto put = [&](const Json& id, const std::string& text, llama_token_type type) {
    const bool is_valid = id.is_number_unsigned() && id.get<std::size_t>() < kMaxTokens;
    if (is_valid) vocabulary.put(id.get<std::size_t>(), text, type);
    return is_valid;
  };
  const Error bad_id(ErrorCode::kInvalidInput, "a token's id is not in the range of vocabularies");
  for (const auto& [text, id] : file.at("model").at("vocab").items())
    if (!put(id, text, LLAMA_TOKEN_TYPE_NORMAL)) return bad_id;
  for (const Json& added : file.value("added_tokens", Json::array())) {
    const auto text = added.at("content").get<std::string>();
    for (const char* flag : {"lstrip", "rstrip", "single_word"})
      if (added.value(flag, false)) return unsupported("its token " + text + " has " + flag);
    const bool is_special = added.value("special", false);
    if (!put(added.at("id"), text,
             is_special ? LLAMA_TOKEN_TYPE_CONTROL : LLAMA_TOKEN_TYPE_USER_DEFINED))
      return bad_id;
  }
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
    if (vocabulary.types[id] == LLAMA_TOKEN_TYPE_UNUSED)
      vocabulary.tokens[id] = "[PAD" + std::to_string(id) + "]";
  for (const Json& merge : file.at("model").at("merges"))
    vocabulary.merges.push_back(merge_of(merge));
  return vocabulary;
}

// --- what stands beside it -----------------------------------------------------------------------

// The text of a token that is given as a string, or as an object with its content.
std::optional<std::string> token_text(const Json& config, const char* name) {
  const Json token = config.value(name, Json());
  if (token.is_string()) return token.get<std::string>();
  if (token.is_object() && token.contains("content")) return token.at("content").get<std::string>();
  return std::nullopt;
}

Result<std::optional<std::string>> chat_template(const Json& config,
                                                 const std::filesystem::path& folder) {
  const Json given = config.value("chat_template", Json());
  if (given.is_string()) return std::optional(given.get<std::string>());
  for (const Json& named : given.is_array() ? given : Json::array())
    if (named.value("name", "") == "default")
      return std::optional(named.at("template").get<std::string>());
  return read_file_if_there((folder / "chat_template.jinja").string());
}

// Does the tokenizer put `bos` in front of every text?
bool adds_bos(const Json& file, const Json& config, const std::optional<std::string>& bos) {
  const Json given = config.value("add_bos_token", Json());
  if (given.is_boolean()) return given.get<bool>();
  if (!bos) return false;
  const Json processor = file.value("post_processor", Json());
  if (processor.is_null()) return false;
  const Json parts = processor.value("processors", Json::array({processor}));
  return std::ranges::any_of(parts, [&](const Json& part) {
    if (part.value("type", "") != "TemplateProcessing") return false;
    const Json& first = part.at("single").at(0);
    return first.contains("SpecialToken") && first.at("SpecialToken").value("id", "") == *bos;
  });
}

// --- the file ------------------------------------------------------------------------------------

void set_strings(gguf_context* gguf, const char* key, const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  pointers.reserve(texts.size());
  for (const auto& text : texts)
    pointers.push_back(text.c_str());
  gguf_set_arr_str(gguf, key, pointers.data(), pointers.size());
}

Result<void> write(const Json& file, const Json& config, const std::filesystem::path& folder,
                   const std::string& output) {
  const auto vocabulary = vocabulary_of(file);
  if (!vocabulary) return vocabulary.error();
  const GgufPtr gguf(gguf_init_empty());
  gguf_set_val_str(gguf.get(), "general.architecture", "llama");
  gguf_set_val_str(gguf.get(), "tokenizer.ggml.model", "gpt2");
  gguf_set_val_str(gguf.get(), "tokenizer.ggml.pre", vocabulary->pre_tokenizer);
  set_strings(gguf.get(), "tokenizer.ggml.tokens", vocabulary->tokens);
  set_strings(gguf.get(), "tokenizer.ggml.merges", vocabulary->merges);
  gguf_set_arr_data(gguf.get(), "tokenizer.ggml.token_type", GGUF_TYPE_INT32,
                    vocabulary->types.data(), vocabulary->types.size());
  constexpr std::array<std::array<const char*, 2>, 4> kNamed{
      {{"bos_token", "tokenizer.ggml.bos_token_id"},
       {"eos_token", "tokenizer.ggml.eos_token_id"},
       {"unk_token", "tokenizer.ggml.unknown_token_id"},
       {"pad_token", "tokenizer.ggml.padding_token_id"}}};
  for (const auto& [name, key] : kNamed) {
    const auto text = token_text(config, name);
    const auto id = text ? vocabulary->id_of(*text) : std::nullopt;
    if (id) gguf_set_val_u32(gguf.get(), key, static_cast<std::uint32_t>(*id));
  }
  const bool bos = adds_bos(file, config, token_text(config, "bos_token"));
  gguf_set_val_bool(gguf.get(), "tokenizer.ggml.add_bos_token", bos);
  const auto chat = chat_template(config, folder);
  if (!chat) return chat.error();
  if (*chat) gguf_set_val_str(gguf.get(), "tokenizer.chat_template", (*chat)->c_str());
  if (gguf_write_to_file(gguf.get(), output.c_str(), /*only_meta=*/true)) return {};
  return Error(ErrorCode::kRuntime, output + " can't be written");
}

}  // namespace

Result<void> write_hf_vocabulary(const std::string& path, const std::string& output) {
  const auto text = read_file(path);
  if (!text) return text.error().within("tokenizer");
  const auto folder = std::filesystem::path(path).parent_path();
  const auto subject = "tokenizer " + path;
  try {
    const auto file = read_json(*text);
    if (!file) return file.error().within(subject);
    const auto beside = read_file_if_there((folder / "tokenizer_config.json").string());
    if (!beside) return beside.error().within(subject);
    const auto config = *beside ? read_json(**beside) : Result<Json>(Json::object());
    if (!config) return config.error().within(subject + ": tokenizer_config.json beside it");
    const auto written = write(*file, *config, folder, output);
    return written ? written : Result<void>(written.error().within(subject));
  } catch (const Json::exception& failure) {  // what is not there, or of another type
    return Error(ErrorCode::kInvalidInput, subject + ": " + failure.what());
  }
}

}  // namespace rsd
