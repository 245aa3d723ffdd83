// Topics in TREC's mark-up and its relatives, which is not quite SGML and not quite XML.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct MarkedUpTopic {
  std::size_t offset = 0;  // where its element begins
  std::string id;          // empty where none is told
  Result<std::string> text;
};

// Each <top>, <topic> or, where there is neither, <query> of the text. Its id is an attribute
// (number, num, id, qid) or an element (num, number, qid, identifier, id), its text the first of
// title, EN-title and the like, query, question, content, desc, description that says something,
// else all there is. Letters of tags may be small or capital, elements within need no end, labels
// such as "Number:" go, entities and CDATA are resolved. An element without an end has an error for
// a text, and so has one that says nothing.
std::vector<MarkedUpTopic> marked_up_topics(std::string_view text);

}  // namespace rsd
