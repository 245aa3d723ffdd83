#include "data/json_fields.h"

#include <algorithm>

#include "data/shorten.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

}  // namespace

Error wrong_value(const std::string& field, const Json& value, const std::string& expected) {
  const std::string dump = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {ErrorCode::kInvalidInput,
          field + " is " + shorten(dump, kShownChars) + "; it must be " + expected};
}

const Json* find(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

bool is_blank(std::string_view text) {
  // A fast path: most texts start with a printable character.
  const auto is_printable = [](char c) { return c > ' ' && c < '\x7f'; };
  return std::ranges::none_of(text, is_printable) && single_line(text).empty();
}

Result<std::string> read_words(const Json& value, const std::string& field) {
  if (value.is_null()) return std::string();
  if (value.is_number()) return value.dump();
  if (!value.is_string()) return wrong_value(field, value, "a string");
  const auto& text = value.get_ref<const std::string&>();
  return is_blank(text) ? std::string() : text;
}

Result<std::string> read_id(const Json& value, const std::string& field) {
  if (value.is_number_integer()) return value.dump();
  if (!value.is_string()) return wrong_value(field, value, "a string or an integer");
  const auto& text = value.get_ref<const std::string&>();
  if (is_blank(text)) return Error(ErrorCode::kInvalidInput, field + " is empty");
  return text;
}

std::vector<IdField> query_id_fields(const Json& object, const std::string& prefix) {
  std::vector<IdField> fields;
  for (const char* key : {"id", "_id", "qid", "query_id", "query-id", "topic_id"})
    fields.push_back({.value = find(object, key), .name = prefix + key});
  return fields;
}

std::vector<IdField> document_id_fields(const Json& object, const std::string& prefix) {
  std::vector<IdField> fields;
  for (const char* key : {"_id", "id", "pid", "passage_id"})
    fields.push_back({.value = find(object, key), .name = prefix + key});
  if (fields[2].value != nullptr || fields[3].value != nullptr) return fields;
  for (const char* key : {"docid", "doc_id", "docno"})
    fields.push_back({.value = find(object, key), .name = prefix + key});
  return fields;
}

Result<std::optional<std::string>> agreed_id(const std::vector<IdField>& fields) {
  std::optional<std::string> agreed;
  const IdField* first = nullptr;
  for (const IdField& field : fields) {
    if (field.value == nullptr) continue;
    auto id = read_id(*field.value, field.name);
    if (!id) return id.error();
    if (!agreed) {
      agreed = *std::move(id);
      first = &field;
    } else if (*agreed != *id) {
      return Error(ErrorCode::kInvalidInput,
                   first->name + " is \"" + shorten(*agreed, kShownChars) + "\" and " + field.name +
                       " is \"" + shorten(*id, kShownChars) + "\"; they must be the same");
    }
  }
  return agreed;
}

IdField first_id(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const Json* value = find(object, key)) return {.value = value, .name = key};
  return {};
}

}  // namespace rsd
