#include "server/api/foreign_body.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

#include "rsd/core/shown_text.h"
#include "rsd/core/utf8.h"
#include "server/http/words.h"

namespace rsd::server {
namespace {

constexpr std::size_t kShownNames = 10;
constexpr std::size_t kShownNameChars = 40;  // of a name

void read_flag(Json& value) {
  if (value.is_number() && (value == 0 || value == 1)) {
    value = value == 1;
  } else if (value.is_string()) {
    const std::string_view word = trimmed(value.get_ref<const std::string&>(), " \t");
    if (same_word(word, "true") || word == "1") {
      value = true;
    } else if (same_word(word, "false") || word == "0") {
      value = false;
    }
  }
}

void read_number(Json& value) {
  if (!value.is_string()) return;
  const std::string_view word = trimmed(value.get_ref<const std::string&>(), " \t");
  double number = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
  if (read.ec == std::errc() && read.ptr == word.data() + word.size() && std::isfinite(number))
    value = number;
}

// The name, without the characters that separate names.
std::string shown_name(const std::string& name) {
  std::string shown = shown_text(name, kShownNameChars, Letters::kAscii);
  for (char& c : shown)
    if (c == ' ' || c == ',') c = '?';
  return shown;
}

std::optional<std::string> text_of_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    const auto member = part.is_object() ? part.find("text") : part.end();
    const bool is_text =
        part.is_string() || (part.is_object() && member != part.end() && member->is_string());
    if (!is_text) return std::nullopt;
    if (!text.empty()) text += '\n';
    text += part.is_string() ? part.get_ref<const std::string&>()
                             : member->get_ref<const std::string&>();
  }
  return text;
}

}  // namespace

void read_written_types(Json& body, const std::vector<ForeignField>& fields) {
  for (const ForeignField& field : fields) {
    const auto member = body.find(field.name);
    if (member == body.end()) continue;
    if (field.kind == FieldKind::kFlag) read_flag(*member);
    if (field.kind == FieldKind::kNumber) read_number(*member);
  }
}

std::vector<std::string> unknown_names(const Json& body, const std::vector<ForeignField>& fields) {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : body.items()) {
    const auto is_it = [&name = name](const ForeignField& field) { return name == field.name; };
    if (std::ranges::none_of(fields, is_it)) unknown.push_back(name);
  }
  return unknown;
}

std::string shown_names(const std::vector<std::string>& names) {
  std::string line;
  for (std::size_t i = 0; i < std::min(names.size(), kShownNames); ++i)
    line += (i == 0 ? "" : ", ") + shown_name(names[i]);
  if (names.size() > kShownNames)
    line += " and " + std::to_string(names.size() - kShownNames) + " more";
  return line;
}

std::optional<std::string> foreign_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return std::string();
  if (value.is_array()) return text_of_parts(value);
  if (!value.is_object()) return std::nullopt;
  std::optional<std::string> blank;
  for (const char* name : {"text", "content"}) {
    const auto member = value.find(name);
    if (member == value.end()) continue;
    std::optional<std::string> text;
    if (member->is_string()) text = member->get<std::string>();
    if (member->is_null()) text = "";
    if (member->is_array()) {
      text = text_of_parts(*member);
      if (!text) return std::nullopt;
    }
    if (text && !single_line(*text).empty()) return text;
    if (text) blank = std::move(text);
  }
  return blank;
}

}  // namespace rsd::server
