// Reads fields of requests, topics and documents from JSON.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// "<field> is <value>; it must be <expected>".
Error wrong_value(const std::string& field, const nlohmann::json& value,
                  const std::string& expected);

// Finds a member; null if it is absent or JSON's null, since exporters use both for "none". Values
// that are not objects have no members.
const nlohmann::json* find(const nlohmann::json& object, const char* key);

// True if `text` is empty or only white space.
bool is_blank(std::string_view text);

// Reads a text, or a number as its digits: a title may be 1984. Blank text and null are empty.
Result<std::string> read_words(const nlohmann::json& value, const std::string& field);

// Reads a string that isn't blank, or an integer as decimal digits.
Result<std::string> read_id(const nlohmann::json& value, const std::string& field);

// A field that may hold an id, and its name in errors.
struct IdField {
  const nlohmann::json* value = nullptr;  // null: absent
  std::string name;
};
// The fields in use for a query's id: id, _id, qid, query_id, query-id, topic_id; `prefix` is put
// before the names in errors.
std::vector<IdField> query_id_fields(const nlohmann::json& object, const std::string& prefix = "");
// The fields in use for a document's id: _id, id, pid, passage_id, docid, doc_id, docno. The last
// three of a passage that has one of pid and passage_id name the document that it stands in (MS
// MARCO v2), and are left out.
std::vector<IdField> document_id_fields(const nlohmann::json& object,
                                        const std::string& prefix = "");
// The id in these fields; nullopt if all are absent. kInvalidInput if two differ.
Result<std::optional<std::string>> agreed_id(const std::vector<IdField>& fields);

// The first of the keys that is present; a null value if none is.
IdField first_id(const nlohmann::json& object, std::initializer_list<const char*> keys);

}  // namespace rsd
