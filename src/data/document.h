// A document of a collection: a text under one of several names, and a title.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

struct Document {
  std::string title;
  std::string text;

  bool operator==(const Document&) const = default;
};

// The text is the first field of text, segment, contents, content, body, passage that isn't blank.
// Blank and null fields are read as empty, numbers as their digits: a title may be 1984.
// kInvalidInput if it has none of these fields and no title, or one of another type. `field` names
// the document in errors; empty if the document is a whole line.
Result<Document> read_document(const nlohmann::json& object, const std::string& field);

// True if the object has a field that read_document reads, even if it is null.
bool has_document_fields(const nlohmann::json& object);

// "title. text", or the only one of the two that isn't empty.
std::string joined(const Document& document);

}  // namespace rsd
