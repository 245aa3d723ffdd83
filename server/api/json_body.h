// The body of a request, and its fields.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd::server {

// For input: members are found in logarithmic time, however many there are.
using Json = nlohmann::json;
// For output: members keep their order.
using OutJson = nlohmann::ordered_json;

// kInvalidInput, which names the place: broken JSON, invalid UTF-8, JSON that nests deeper than
// `max_depth` levels, no object, a key twice in one object. NaN and infinities, which Python's
// clients write, are null.
Result<Json> parse_body(std::string_view body, std::size_t max_depth);

// "<field> is <value>; it must be <expected>".
Error wrong_value(const std::string& field, const Json& value, const std::string& expected);

// Reads the fields of an object. finish() reports the first error; what is read after that error is
// of no use. null is the same as absent.
class Fields {
 public:
  // `object` outlives it.
  explicit Fields(const Json& object) : object_(object) {}

  // Required, and not blank.
  std::string text(const char* name);
  std::optional<std::string> optional_text(const char* name);
  std::optional<bool> flag(const char* name);
  // min to max; 3.0 is whole, too.
  std::optional<std::size_t> whole_number(const char* name, std::size_t max, std::size_t min = 1);
  std::optional<double> positive_number(const char* name, double max);
  std::optional<double> number_up_to(const char* name, double max);  // from 0
  // A value of any type; null if it is absent.
  const Json* any(const char* name);
  // Accepts these fields without reading them.
  void ignore(std::initializer_list<const char*> names);

  void fail(const Error& error);
  // kInvalidInput: the first error, else a field that was not read.
  Result<void> finish() const;

 private:
  const Json& object_;
  std::set<std::string, std::less<>> known_;
  std::optional<Error> error_;
};

}  // namespace rsd::server
