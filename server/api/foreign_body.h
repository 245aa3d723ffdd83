// Bodies as the clients of other servers write them, turned into what our own fields look like.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/api/json_body.h"

namespace rsd::server {

// What a field of a rerank body holds.
enum class FieldKind { kText, kFlag, kNumber, kOther };

struct ForeignField {
  const char* name;
  FieldKind kind;
};

// "true", "False", "1" and 1 become flags, "3" and " 2.5" numbers, in the fields that hold them.
// What can't be read so stays as it is, for Fields to refuse.
void read_written_types(Json& body, const std::vector<ForeignField>& fields);

// The names in `body` that no field has.
std::vector<std::string> unknown_names(const Json& body, const std::vector<ForeignField>& fields);

// The names in one line of printable ASCII, fit for a header and the log: at most some hundred
// bytes, whatever they are.
std::string shown_names(const std::vector<std::string>& names);

// The text of a query or a document: a string; an object with `text` (Jina, Cohere) or with
// `content` (vLLM); a list of content parts (SGLang), which all have to be text. null is a blank
// text. nullopt: it has none, or more than text.
std::optional<std::string> foreign_text(const Json& value);

}  // namespace rsd::server
