// What a server sent, as JSON: it may be a megabyte of numbers, which simdjson reads in a
// millisecond.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

using JsonValue = simdjson::dom::element;

// Owns what its values refer to.
class JsonAnswer {
 public:
  // kRuntime: "the answer isn't JSON", nor is one with an integer of more than 64 bits, or of more
  // than kMaxJsonDepth levels (json/read_json.h).
  static Result<JsonAnswer> parse(std::string_view text);

  JsonAnswer(JsonAnswer&&) noexcept = default;
  JsonAnswer& operator=(JsonAnswer&&) = delete;
  ~JsonAnswer();

  JsonValue root() const noexcept { return root_; }

 private:
  JsonAnswer(std::unique_ptr<simdjson::dom::parser> parser, JsonValue root)
      : parser_(std::move(parser)), root_(root) {}

  std::unique_ptr<simdjson::dom::parser> parser_;
  JsonValue root_;
};

// Strict looks, the first of a name that repeats: nullopt where the value is absent or of another
// kind. A member of none is none.
std::optional<JsonValue> member(std::optional<JsonValue> object, std::string_view name);
std::optional<simdjson::dom::object> members(std::optional<JsonValue> value);
std::optional<simdjson::dom::array> elements(std::optional<JsonValue> value);
std::optional<std::string_view> text(std::optional<JsonValue> value);
std::optional<std::size_t> whole_number(std::optional<JsonValue> value);
// A finite number that a float can hold.
std::optional<float> finite_number(std::optional<JsonValue> value);

}  // namespace rsd
