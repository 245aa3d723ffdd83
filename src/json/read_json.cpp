#include "json/read_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/utf8.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

// The offset of the first bracket that nests too deep. The parser itself doesn't recurse.
std::optional<std::size_t> find_too_deep(std::string_view json, std::size_t max_depth) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > max_depth) return i;
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return std::nullopt;
}

// ---- NaN and its kin --------------------------------------------------------------------------

// JSON text in which NaN and infinities are replaced by null.
struct Cleaned {
  std::string text;
  std::vector<std::size_t> grown_at;  // offsets in `text` after which it is one byte longer than
                                      // the original

  std::size_t offset_before(std::size_t offset) const {
    return offset -
           static_cast<std::size_t>(std::ranges::lower_bound(grown_at, offset) - grown_at.begin());
  }
};

// The length of NaN or an infinity at the beginning of the text; 0 = none.
std::size_t length_of_not_number(std::string_view text) {
  for (const std::string_view name : {"NaN", "Infinity", "-Infinity"})
    if (text.starts_with(name)) return name.size();
  return 0;
}

Cleaned without_not_numbers(std::string_view json) {
  constexpr std::string_view kNull = "null";
  Cleaned cleaned;
  cleaned.text.reserve(json.size() + json.size() / 16);
  bool in_string = false;
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (c == '"') in_string = !in_string;
    if (const auto length = in_string ? 0 : length_of_not_number(json.substr(i)); length > 0) {
      cleaned.text += kNull;
      if (length < kNull.size()) cleaned.grown_at.push_back(cleaned.text.size() - 1);
      if (length > kNull.size()) cleaned.text.append(length - kNull.size(), ' ');
      i += length;
      continue;
    }
    const std::size_t n_taken = in_string && c == '\\' && i + 1 < json.size() ? 2 : 1;
    cleaned.text += json.substr(i, n_taken);
    i += n_taken;
  }
  return cleaned;
}

// The code of the escape "\uXXXX" at the beginning of the text; nullopt if there is none.
std::optional<unsigned> escaped_code(std::string_view text) {
  constexpr std::size_t kLength = 6;
  if (text.size() < kLength || !text.starts_with("\\u")) return std::nullopt;
  unsigned code = 0;
  const char* const end = text.data() + kLength;
  const auto read = std::from_chars(text.data() + 2, end, code, 16);
  return read.ec == std::errc() && read.ptr == end ? std::optional(code) : std::nullopt;
}

// JSON text in which escaped halves of surrogate pairs without their other half are escapes of
// U+FFFD, which are as long; nullopt if there are none.
std::optional<std::string> with_whole_pairs(std::string_view json) {
  constexpr std::size_t kLength = 6;
  const auto is_in = [](std::optional<unsigned> code, unsigned first, unsigned last) {
    return code && *code >= first && *code <= last;
  };
  std::optional<std::string> whole;
  for (std::size_t i = json.find('\\'); i != std::string_view::npos; i = json.find('\\', i)) {
    const auto code = escaped_code(json.substr(i));
    if (!is_in(code, 0xD800U, 0xDFFFU)) {
      i += 2;
      continue;
    }
    const bool is_pair = is_in(code, 0xD800U, 0xDBFFU) && i + kLength < json.size() &&
                         is_in(escaped_code(json.substr(i + kLength)), 0xDC00U, 0xDFFFU);
    if (!is_pair) {
      if (!whole) whole = std::string(json);
      whole->replace(i, kLength, "\\ufffd");
    }
    i += is_pair ? 2 * kLength : kLength;
  }
  return whole;
}

// ---- The value --------------------------------------------------------------------------------

// nlohmann's message without its prefix and without the token, which may be the whole text.
std::string reason_of(const Json::exception& exception) {
  if (dynamic_cast<const Json::out_of_range*>(&exception) != nullptr)
    return "number overflow: it is too large for a double";
  std::string reason = exception.what();
  for (const std::string_view end_of_prefix : {"] ", ": "}) {
    const std::size_t at = reason.find(end_of_prefix);
    if (at != std::string::npos) reason.erase(0, at + end_of_prefix.size());
  }
  reason.resize(std::min(reason.find("; last read"), reason.size()));
  return reason;
}

// Builds the value from the parser's events. The library's parser with a callback could check keys,
// too, but visits all elements of an array at the end of each.
class ValueBuilder {
 public:
  explicit ValueBuilder(JsonRules::RepeatedKeys repeated_keys) : repeated_keys_(repeated_keys) {}

  struct Fault {
    std::size_t byte = 0;
    std::string reason;
  };

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(Json::binary_t& value) { return add(std::move(value)); }
  bool start_object(std::size_t /*size*/) { return open(Json::object()); }
  bool end_object() { return close(); }
  bool start_array(std::size_t /*size*/) { return open(Json::array()); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [member, is_new] = open_.back()->emplace(name, nullptr);
    member_ = &*member;
    if (is_new || repeated_keys_ == JsonRules::RepeatedKeys::kLastCounts) return true;
    repeated_key_ = std::move(name);
    return false;
  }

  bool parse_error(std::size_t byte, const std::string& /*token*/,
                   const Json::exception& exception) {
    fault_ = Fault{.byte = byte, .reason = reason_of(exception)};
    return false;
  }

  Json take() { return std::move(root_); }
  const std::optional<Fault>& fault() const noexcept { return fault_; }
  const std::optional<std::string>& repeated_key() const noexcept { return repeated_key_; }

 private:
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    open_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  // Adds a value and returns its final address: an array doesn't grow while an element of it is
  // open.
  Json* put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }

  JsonRules::RepeatedKeys repeated_keys_;
  Json root_;
  std::vector<Json*> open_;  // arrays and objects, the innermost last
  Json* member_ = nullptr;   // the member of the innermost object that waits for its value
  std::optional<std::string> repeated_key_;
  std::optional<Fault> fault_;
};

// The key as a JSON string, cut if it is long.
std::string shown(const std::string& key) {
  constexpr std::size_t kShownBytes = 60;
  std::size_t end = std::min(key.size(), kShownBytes);
  while (end > 0 && end < key.size() && (static_cast<unsigned char>(key[end]) & 0xC0) == 0x80)
    --end;
  return Json(key.substr(0, end) + (end < key.size() ? "…" : "")).dump();
}

Result<Json> built_from(std::string_view text, const JsonRules& rules, const Cleaned* cleaned) {
  ValueBuilder builder(rules.repeated_keys);
  if (Json::sax_parse(text, &builder)) return builder.take();
  if (const auto& key = builder.repeated_key())
    return invalid_input("the key " + shown(*key) + " is repeated");
  std::size_t byte = builder.fault() ? builder.fault()->byte : 0;
  byte = std::min(byte, text.size());
  if (cleaned != nullptr) byte = cleaned->offset_before(byte);
  return invalid_input("broken JSON at byte " + std::to_string(byte) + " of " +
                       std::string(rules.subject) + ": " +
                       (builder.fault() ? builder.fault()->reason : "it ends too early"));
}

// The value of text whose characters and depth are checked.
Result<Json> value_of(std::string_view text, const JsonRules& rules) {
  const bool may_have_others = rules.not_numbers == JsonRules::NotNumbers::kNull &&
                               (text.find("NaN") != std::string_view::npos ||
                                text.find("Infinity") != std::string_view::npos);
  if (!may_have_others) return built_from(text, rules, nullptr);
  const Cleaned cleaned = without_not_numbers(text);
  return built_from(cleaned.text, rules, &cleaned);
}

}  // namespace

Result<Json> read_json(std::string_view text, const JsonRules& rules) {
  const std::string subject(rules.subject);
  if (const auto offset = find_invalid_utf8(text)) {
    return invalid_input("invalid UTF-8 at byte offset " + std::to_string(*offset) + " of " +
                         subject);
  }
  if (const auto offset = find_too_deep(text, rules.max_depth)) {
    return invalid_input("the JSON nests deeper than " + std::to_string(rules.max_depth) +
                         " levels at byte offset " + std::to_string(*offset) + " of " + subject);
  }
  const auto whole = with_whole_pairs(text);
  return value_of(whole ? std::string_view(*whole) : text, rules);
}

}  // namespace rsd
