// Converts the bodies of other servers' clients to the form of our own fields.
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

// Converts "true", "False", "1" and 1 in the fields that hold flags, and "3" and " 2.5" in those
// that hold numbers. Other values stay as they are, for Fields to refuse.
void read_written_types(Json& body, const std::vector<ForeignField>& fields);

// The names in `body` that no field has.
std::vector<std::string> unknown_names(const Json& body, const std::vector<ForeignField>& fields);

// The names in one line of printable ASCII for a header and the log, of a few hundred bytes at
// most.
std::string shown_names(const std::vector<std::string>& names);

// The text of a query or a document: a string; an object with `text` (Jina, Cohere) or with
// `content` (vLLM), of which the first that isn't blank counts; a list of content parts (SGLang),
// which all have to be text. null is a blank text. nullopt: it has none, or more than text.
std::optional<std::string> foreign_text(const Json& value);

}  // namespace rsd::server
