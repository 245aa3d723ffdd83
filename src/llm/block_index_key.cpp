#include "llm/block_index_key.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/names.h"
#include "core/xxh64.h"
#include "json/read_json.h"
#include "llm/mapped_file.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

constexpr NameTable<BlockType, 2> kBlockTypes = {
    {{{BlockType::kF16, "f16"}, {BlockType::kQ8_0, "q8_0"}}}};

Json to_json(const FileContent& file) {
  return {{"file", file.name}, {"bytes", file.n_bytes}, {"xxh64", hex(file.digest)}};
}

template <class Value>
Value value_of(const nlohmann::json& object, const char* key) {
  return object.at(key).get<Value>();
}

FileContent file_of(const nlohmann::json& object) {
  return {.name = value_of<std::string>(object, "file"),
          .n_bytes = value_of<std::uint64_t>(object, "bytes"),
          .digest = std::stoull(value_of<std::string>(object, "xxh64"), nullptr, 16)};
}

CellLayout layout_of(const nlohmann::json& object) {
  return {.has_transposed_values = value_of<bool>(object, "transposed_values"),
          .n_layers = value_of<std::size_t>(object, "layers"),
          .key_type = value_of<std::string>(object, "key_type"),
          .value_type = value_of<std::string>(object, "value_type"),
          .row_bytes = value_of<std::size_t>(object, "bytes_per_token")};
}

// Throws what nlohmann-json and std::stoull do.
BlockIndexKey key_of(const nlohmann::json& object) {
  BlockIndexKey key{
      .model = file_of(object.at("model")),
      .adapters = {},
      .cells = layout_of(object.at("cells")),
      .task = value_of<std::string>(object, "task"),
      .head = {},
      .type = kBlockTypes.parse("type", value_of<std::string>(object, "type")).value()};
  for (const auto& adapter : object.at("adapters"))
    key.adapters.push_back({.file = file_of(adapter), .scale = value_of<float>(adapter, "scale")});
  for (const auto& token : object.at("head"))
    key.head.emplace_back(token.get<std::int32_t>());
  return key;
}

std::string shown(const CellLayout& cells) {
  return std::to_string(cells.n_layers) + " layers of " + cells.key_type + " keys and " +
         cells.value_type + " values, " + (cells.has_transposed_values ? "transposed, " : "") +
         std::to_string(cells.row_bytes) + " bytes a token";
}

std::string shown(const FileContent& file) {
  return file.name + " (" + std::to_string(file.n_bytes) + " bytes, XXH64 " + hex(file.digest) +
         ")";
}

std::string shown(const std::vector<AdapterContent>& adapters) {
  std::string text;
  for (const AdapterContent& adapter : adapters) {
    text +=
        (text.empty() ? "" : ", ") + shown(adapter.file) + " x " + std::to_string(adapter.scale);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string_view to_string(BlockType type) noexcept {
  return kBlockTypes.name_of(type);
}

Result<BlockType> parse_block_type(std::string_view name) {
  return kBlockTypes.parse("type", name);
}

Result<FileContent> content_of(const std::string& path) {
  const auto file = MappedFile::open(path);
  if (!file) return file.error();
  return FileContent{.name = std::filesystem::path(path).filename().string(),
                     .n_bytes = file->bytes().size(),
                     .digest = xxh64(file->bytes())};
}

std::string to_text(const BlockIndexKey& key) {
  Json adapters = Json::array();
  for (const AdapterContent& adapter : key.adapters) {
    Json entry = to_json(adapter.file);
    entry["scale"] = adapter.scale;
    adapters.push_back(std::move(entry));
  }
  Json head = Json::array();
  for (const TokenId token : key.head)
    head.push_back(token.value());
  const Json object{{"model", to_json(key.model)},
                    {"adapters", std::move(adapters)},
                    {"cells",
                     {{"layers", key.cells.n_layers},
                      {"key_type", key.cells.key_type},
                      {"value_type", key.cells.value_type},
                      {"transposed_values", key.cells.has_transposed_values},
                      {"bytes_per_token", key.cells.row_bytes}}},
                    {"task", key.task},
                    {"head", std::move(head)},
                    {"type", to_string(key.type)}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<BlockIndexKey> parse_key(std::string_view text) {
  const auto object = read_json(text, {.subject = "the header"});
  if (!object) return object.error();
  try {
    return key_of(*object);
  } catch (const std::exception& failure) {  // a field that is missing, or of another type
    return Error(ErrorCode::kInvalidInput, std::string("the header: ") + failure.what());
  }
}

std::optional<std::string> why_not_for(const BlockIndexKey& theirs, const BlockIndexKey& here) {
  const auto differ = [](const std::string& what, const std::string& a, const std::string& b) {
    return "was made with another " + what + ": " + a + "; here it is " + b;
  };
  if (theirs.model != here.model) return differ("model", shown(theirs.model), shown(here.model));
  if (theirs.adapters != here.adapters)
    return differ("LoRA adapter", shown(theirs.adapters), shown(here.adapters));
  if (theirs.cells != here.cells)
    return differ("layout of the LLM's cache", shown(theirs.cells), shown(here.cells));
  if (theirs.head == here.head) return std::nullopt;
  return differ("prompt template (task " + theirs.task + ")",
                "a head of " + std::to_string(theirs.head.size()) + " tokens",
                "another one, of " + std::to_string(here.head.size()));
}

}  // namespace rsd
