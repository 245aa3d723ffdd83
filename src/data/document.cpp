#include "data/document.h"

#include <algorithm>
#include <array>

#include "data/json_fields.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

constexpr const char* kTitleKey = "title";
constexpr std::array kTextKeys = {"text", "segment", "contents", "content", "body", "passage"};

Result<std::string> read_part(const Json& object, const char* key, const std::string& field) {
  const Json* part = find(object, key);
  if (part == nullptr) return std::string();
  return read_words(*part, (field.empty() ? "" : field + ".") + key);
}

}  // namespace

bool has_document_fields(const Json& object) {
  return object.contains(kTitleKey) ||
         std::ranges::any_of(kTextKeys, [&](const char* key) { return object.contains(key); });
}

Result<Document> read_document(const Json& object, const std::string& field) {
  if (!has_document_fields(object)) {
    return Error(ErrorCode::kInvalidInput,
                 (field.empty() ? "the document" : field) +
                     " has no text: none of title, text, segment, contents, content, body, " +
                     "passage is there");
  }
  auto title = read_part(object, kTitleKey, field);
  if (!title) return title.error();
  for (const char* key : kTextKeys) {
    auto text = read_part(object, key, field);
    if (!text) return text.error();
    if (!text->empty()) return Document{.title = *std::move(title), .text = *std::move(text)};
  }
  return Document{.title = *std::move(title), .text = ""};
}

std::string joined(const Document& document) {
  if (document.title.empty() || document.text.empty()) return document.title + document.text;
  return document.title + ". " + document.text;
}

}  // namespace rsd
