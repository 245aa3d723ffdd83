#include "remote/json_answer.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "json/read_json.h"

namespace rsd {
namespace {

// Each thread reuses its parser's memory for the next answer, since fresh pages take longer to get
// than to parse into. Larger parsers are freed: a parser takes about 15 bytes per byte of text.
constexpr std::size_t kMostKept = std::size_t{1} << 20U;
thread_local std::unique_ptr<simdjson::dom::parser> t_spare;

template <class Wanted>
std::optional<Wanted> as(std::optional<JsonValue> value) {
  Wanted found{};
  if (!value || value->get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

}  // namespace

Result<JsonAnswer> JsonAnswer::parse(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  auto parser = t_spare ? std::move(t_spare) : std::make_unique<simdjson::dom::parser>();
  const bool depth_is_set = parser->max_depth() == kMaxJsonDepth ||
                            parser->allocate(text.size(), kMaxJsonDepth) == simdjson::SUCCESS;
  JsonValue root;
  if (!depth_is_set || parser->parse(text.data(), text.size()).get(root) != simdjson::SUCCESS)
    return Error(ErrorCode::kRuntime, "the answer isn't JSON");
  return JsonAnswer(std::move(parser), root);
}

JsonAnswer::~JsonAnswer() {
  if (parser_ && parser_->capacity() <= kMostKept) t_spare = std::move(parser_);
}

std::optional<JsonValue> member(std::optional<JsonValue> object, std::string_view name) {
  const auto of_object = members(object);
  JsonValue found;
  if (!of_object || of_object->at_key(name).get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

std::optional<simdjson::dom::object> members(std::optional<JsonValue> value) {
  return as<simdjson::dom::object>(value);
}

std::optional<simdjson::dom::array> elements(std::optional<JsonValue> value) {
  return as<simdjson::dom::array>(value);
}

std::optional<std::string_view> text(std::optional<JsonValue> value) {
  return as<std::string_view>(value);
}

std::optional<std::size_t> whole_number(std::optional<JsonValue> value) {
  return as<std::uint64_t>(value);
}

std::optional<float> finite_number(std::optional<JsonValue> value) {
  const auto number = as<double>(value);
  if (!number || !(std::abs(*number) <= std::numeric_limits<float>::max())) return std::nullopt;
  return static_cast<float>(*number);
}

}  // namespace rsd
