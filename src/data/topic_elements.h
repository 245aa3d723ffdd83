// Reads topics in TREC's mark-up and its variants, which are neither quite SGML nor quite XML.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct MarkedUpTopic {
  std::size_t offset = 0;  // the beginning of its element
  std::string id;          // empty if it has none
  Result<std::string> text;
};

// Each <top> or <topic> of the text, or each <query> if there are none. The id is an attribute
// (number, num, id, qid) or an element (num, number, qid, identifier, id). The text is the first
// element of title, EN-title and the like, query, question, content, desc, description that isn't
// empty, else all text. Tags are case-insensitive, inner elements need no end tag, labels such as
// "Number:" are removed, entities and CDATA are resolved. A topic without an end tag, or without
// any text, has an error in place of its text.
std::vector<MarkedUpTopic> marked_up_topics(std::string_view text);

}  // namespace rsd
