// A document as collections have it: a text under one of several names, and a title.
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

// Its text is the first of text, segment, contents, content, body, passage that isn't blank; what
// is blank or null is empty here. Numbers stand for their digits: a title may be 1984.
// kInvalidInput where it has none of these fields, nor a title, or one is of another type; `field`
// is the name of the document in errors, empty for one that is a line.
Result<Document> read_document(const nlohmann::json& object, const std::string& field);

// Does the object have a field that read_document knows, null included?
bool has_document_fields(const nlohmann::json& object);

// "title. text", or the one that isn't empty.
std::string joined(const Document& document);

}  // namespace rsd
