#include "server/api/json_body.h"

#include <cmath>

#include "json/read_json.h"
#include "rsd/core/shown_text.h"
#include "rsd/core/utf8.h"

namespace rsd::server {
namespace {

constexpr std::size_t kShownValueChars = 60;

std::string shown(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return shown_text(text, kShownValueChars);
}

}  // namespace

Result<Json> parse_body(std::string_view body, std::size_t max_depth) {
  auto json = read_json(body, {.subject = "the body",
                               .max_depth = max_depth,
                               .repeated_keys = JsonRules::RepeatedKeys::kRefused,
                               .not_numbers = JsonRules::NotNumbers::kNull});
  if (json && !json->is_object()) return invalid_input("the body must be a JSON object");
  return json;
}

Error wrong_value(const std::string& field, const Json& value, const std::string& expected) {
  return invalid_input(field + " is " + shown(value) + "; it must be " + expected);
}

const Json* Fields::any(const char* name) {
  known_.emplace(name);
  const auto member = object_.find(name);
  return member == object_.end() || member->is_null() ? nullptr : &*member;
}

void Fields::ignore(std::initializer_list<const char*> names) {
  known_.insert(names.begin(), names.end());
}

std::string Fields::text(const char* name) {
  auto text = optional_text(name);
  if (!text) {
    fail(invalid_input(std::string(name) + " is missing"));
  } else if (single_line(*text).empty()) {
    fail(invalid_input(std::string(name) + " is empty"));
  }
  return text.value_or("");
}

std::optional<std::string> Fields::optional_text(const char* name) {
  const Json* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fail(wrong_value(name, *value, "a string"));
  return "";
}

std::optional<bool> Fields::flag(const char* name) {
  const Json* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fail(wrong_value(name, *value, "true or false"));
  return false;
}

std::optional<std::size_t> Fields::whole_number(const char* name, std::size_t max,
                                                std::size_t min) {
  const Json* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number == std::floor(number) && number >= static_cast<double>(min) &&
        number <= static_cast<double>(max)) {
      return static_cast<std::size_t>(number);
    }
  }
  fail(wrong_value(name, *value,
                   "a whole number from " + std::to_string(min) + " to " + std::to_string(max)));
  return min;
}

std::optional<double> Fields::positive_number(const char* name, double max) {
  const Json* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number > 0 && number <= max) return number;
  }
  fail(wrong_value(name, *value, "a number above 0, at most " + Json(max).dump()));
  return 1;
}

std::optional<double> Fields::number_up_to(const char* name, double max) {
  const Json* value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) {
    const auto number = value->get<double>();
    if (number >= 0 && number <= max) return number;
  }
  fail(wrong_value(name, *value, "a number from 0 to " + Json(max).dump()));
  return 0;
}

void Fields::fail(const Error& error) {
  if (!error_) error_ = error;
}

Result<void> Fields::finish() const {
  if (error_) return *error_;
  for (const auto& [name, value] : object_.items()) {
    if (!known_.contains(name)) return invalid_input("the field " + shown(name) + " is unknown");
  }
  return {};
}

}  // namespace rsd::server
