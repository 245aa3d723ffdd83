// Fields of requests, topics and documents that came as JSON.
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

// The member, or null where it is absent or is JSON's null: exporters write both for "none". A
// value that is no object has no members.
const nlohmann::json* find(const nlohmann::json& object, const char* key);

// Of nothing but white space.
bool is_blank(std::string_view text);

// A string that isn't blank, or an integer in decimal.
Result<std::string> read_id(const nlohmann::json& value, const std::string& field);

// Where an id may stand, and its name in errors.
struct IdField {
  const nlohmann::json* value = nullptr;  // null: nothing is there
  std::string name;
};
// The fields that people give a query's id: id, _id, qid, query_id, topic_id; `prefix` goes before
// the names.
std::vector<IdField> query_id_fields(const nlohmann::json& object, const std::string& prefix = "");
// The id that they tell; nullopt where none does. kInvalidInput where two tell different ones.
Result<std::optional<std::string>> agreed_id(const std::vector<IdField>& fields);

// The first of the keys that is there; null where none is.
IdField first_id(const nlohmann::json& object, std::initializer_list<const char*> keys);

}  // namespace rsd
