// Parses a server's answer as JSON: up to megabytes of numbers, which simdjson reads in
// milliseconds.
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

// A parsed answer. Owns the memory that its values refer to.
class JsonAnswer {
 public:
  // kRuntime: "the answer isn't JSON", also for integers of more than 64 bits and for more than
  // kMaxJsonDepth levels (json/read_json.h).
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

// Strict access: nullopt if the value is absent or of another kind, or if `object` is nullopt. Of
// repeated names the first counts.
std::optional<JsonValue> member(std::optional<JsonValue> object, std::string_view name);
std::optional<simdjson::dom::object> members(std::optional<JsonValue> value);
std::optional<simdjson::dom::array> elements(std::optional<JsonValue> value);
std::optional<std::string_view> text(std::optional<JsonValue> value);
std::optional<std::size_t> whole_number(std::optional<JsonValue> value);
// A finite number in the range of float.
std::optional<float> finite_number(std::optional<JsonValue> value);

}  // namespace rsd
