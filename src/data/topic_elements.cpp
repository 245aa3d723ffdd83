#include "data/topic_elements.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>

#include "rsd/core/utf8.h"

namespace rsd {
namespace {

constexpr auto kNone = std::string_view::npos;

char small(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_letter(char c) {
  return small(c) >= 'a' && small(c) <= 'z';
}

// Finds `wanted`, which is lower-case, ignoring the case of `text`.
std::size_t find_small(std::string_view text, std::string_view wanted, std::size_t from = 0) {
  if (from > text.size()) return kNone;
  const auto found = std::ranges::search(text.substr(from), wanted, {}, small);
  return found.empty() ? kNone : static_cast<std::size_t>(found.begin() - text.begin());
}

// ---- Text -------------------------------------------------------------------------------------

void append_code_point(std::string& text, std::uint32_t code) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  const auto tail = [&](unsigned shift) { byte(0x80U | (code >> shift & 0x3FU)); };
  if (code < 0x80U) {
    byte(code);
  } else if (code < 0x800U) {
    byte(0xC0U | code >> 6U);
    tail(0);
  } else if (code < 0x10000U) {
    byte(0xE0U | code >> 12U);
    tail(6);
    tail(0);
  } else {
    byte(0xF0U | code >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
}

// The text of the entity "&<name>;"; nullopt if it is unknown.
std::optional<std::string> entity(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNamed = {
      {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", " "}}};
  for (const auto& [known, text] : kNamed)
    if (name == known) return std::string(text);
  if (!name.starts_with('#')) return std::nullopt;
  name.remove_prefix(1);
  const bool is_hex = name.starts_with('x') || name.starts_with('X');
  if (is_hex) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), code, is_hex ? 16 : 10);
  const bool is_surrogate = code >= 0xD800U && code < 0xE000U;
  if (name.empty() || read.ec != std::errc() || read.ptr != name.data() + name.size() ||
      code == 0 || code > 0x10FFFFU || is_surrogate)
    return std::nullopt;
  std::string text;
  append_code_point(text, code);
  return text;
}

std::string without_entities(std::string_view text) {
  constexpr std::size_t kLongestName = 10;
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length =
        text[i] == '&' ? text.substr(i + 1, kLongestName + 1).find(';') : kNone;
    const auto meant = length != kNone ? entity(text.substr(i + 1, length)) : std::nullopt;
    plain += meant ? *meant : std::string(1, text[i]);
    i += meant ? length + 2 : 1;
  }
  return plain;
}

// Replaces comments and the marks of CDATA sections by blanks, so that offsets stay the same.
std::string without_comments(std::string_view text) {
  std::string plain(text);
  const auto blank = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      if (plain[i] != '\n') plain[i] = ' ';
  };
  for (const auto& [begin_mark, end_mark, keeps_content] :
       {std::tuple<std::string_view, std::string_view, bool>{"<!--", "-->", false},
        std::tuple<std::string_view, std::string_view, bool>{"<![CDATA[", "]]>", true}}) {
    for (std::size_t begin = plain.find(begin_mark); begin != kNone;
         begin = plain.find(begin_mark, begin)) {
      const std::size_t found = plain.find(end_mark, begin);
      const std::size_t content_end = found == kNone ? plain.size() : found;
      const std::size_t end = found == kNone ? plain.size() : found + end_mark.size();
      blank(begin, keeps_content ? begin + begin_mark.size() : end);
      blank(keeps_content ? content_end : end, end);
      begin = end;
    }
  }
  return plain;
}

// ---- Elements ---------------------------------------------------------------------------------

struct Tag {
  std::size_t begin = kNone;  // offset of its '<'
  std::string_view attributes;
  std::size_t end = kNone;  // offset after its '>'
};

// Finds "<name …>" from an offset on, also with a name that ends in "-" + `name`.
Tag find_tag(std::string_view text, std::string_view name, std::size_t from = 0) {
  for (std::size_t at = find_small(text, name, from); at != kNone;
       at = find_small(text, name, at + 1)) {
    std::size_t begin = at;
    if (begin > 0 && text[begin - 1] == '-')
      for (--begin; begin > 0 && is_letter(text[begin - 1]);)
        --begin;
    const std::size_t name_end = at + name.size();
    const bool ends = name_end < text.size() && !is_letter(text[name_end]) &&
                      text[name_end] != '-' && text[name_end] != '_';
    if (begin == 0 || text[begin - 1] != '<' || !ends) continue;
    const std::size_t close = text.find('>', name_end);
    if (close == kNone) return {};
    return {.begin = begin - 1,
            .attributes = text.substr(name_end, close - name_end),
            .end = close + 1};
  }
  return {};
}

// True if a tag begins at `at`, unlike in "a < b".
bool begins_tag(std::string_view text, std::size_t at) {
  if (text[at] != '<' || at + 1 >= text.size()) return false;
  const char next = text[at + 1];
  return is_letter(next) || next == '/' || next == '!' || next == '?';
}

// The text of an element, up to the next tag, without its label.
std::string element(std::string_view top, std::string_view name,
                    std::initializer_list<std::string_view> labels) {
  const Tag tag = find_tag(top, name);
  if (tag.begin == kNone) return "";
  std::size_t end = tag.end;
  while (end < top.size() && !begins_tag(top, end))
    ++end;
  std::string value = single_line(without_entities(top.substr(tag.end, end - tag.end)));
  for (const std::string_view label : labels)
    if (find_small(value, label) == 0)
      return single_line(std::string_view(value).substr(label.size()));
  return value;
}

std::string attribute(std::string_view attributes, std::string_view name) {
  for (std::size_t at = find_small(attributes, name); at != kNone;
       at = find_small(attributes, name, at + 1)) {
    const bool begins = at > 0 && std::string_view(" \t\n\r").find(attributes[at - 1]) != kNone;
    std::string_view rest = attributes.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n\r"), rest.size()));
    if (!begins || !rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n\r"), rest.size()));
    const bool is_quoted = rest.starts_with('"') || rest.starts_with('\'');
    const std::size_t end = is_quoted ? rest.find(rest[0], 1) : rest.find_first_of(" \t\n\r/");
    if (is_quoted && end == kNone) return "";
    return single_line(without_entities(is_quoted ? rest.substr(1, end - 1) : rest.substr(0, end)));
  }
  return "";
}

// All text between the tags.
std::string bare_text(std::string_view top) {
  std::string text;
  for (std::size_t i = 0; i < top.size(); ++i) {
    if (begins_tag(top, i)) {
      i = std::min(top.find('>', i), top.size() - 1);
      text += ' ';
    } else {
      text += top[i];
    }
  }
  return single_line(without_entities(text));
}

std::string id_of(std::string_view attributes, std::string_view top) {
  for (const char* name : {"number", "num", "id", "qid"})
    if (auto id = attribute(attributes, name); !id.empty()) return id;
  for (const char* name : {"num", "number", "qid", "identifier", "id"})
    if (auto id = element(top, name, {"number:"}); !id.empty()) return id;
  return "";
}

Result<std::string> text_of(std::string_view top) {
  bool has_elements = false;
  for (const char* name : {"title", "query", "question", "content", "desc", "description"}) {
    if (auto text = element(top, name, {"topic:", "description:"}); !text.empty()) return text;
    has_elements = has_elements || find_tag(top, name).begin != kNone;
  }
  if (auto text = has_elements ? "" : bare_text(top); !text.empty()) return text;
  return Error(ErrorCode::kInvalidInput,
               "the topic has no <title>, nor anything else that it asks");
}

}  // namespace

std::vector<MarkedUpTopic> marked_up_topics(std::string_view text) {
  const std::string plain = without_comments(text);
  std::vector<MarkedUpTopic> topics;
  for (const std::string name : {"top", "topic", "query"}) {
    std::size_t end = 0;
    Tag following;
    for (Tag tag = find_tag(plain, name); tag.begin != kNone; tag = following) {
      following = find_tag(plain, name, tag.end);
      if (end < tag.end) end = find_small(plain, "</" + name + ">", tag.end);
      const std::size_t next = following.begin;
      const std::size_t stop = std::min({end, next, plain.size()});
      const std::string_view top = std::string_view(plain).substr(tag.end, stop - tag.end);
      const bool has_end = end != kNone && end <= next;
      topics.push_back(
          {.offset = tag.begin,
           .id = id_of(tag.attributes, top),
           .text = has_end ? text_of(top)
                           : Result<std::string>(Error(
                                 ErrorCode::kInvalidInput,
                                 "the <" + name + "> that begins here has no </" + name + ">"))});
    }
    if (!topics.empty()) break;
  }
  return topics;
}

}  // namespace rsd
