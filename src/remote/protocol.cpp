#include "remote/protocol.h"

#include <cmath>
#include <limits>

#include "remote/protocol_json.h"
#include "rsd/core/check.h"

namespace rsd {

using Json = nlohmann::json;

std::vector<TokenId> RowQuestion::tokens(std::size_t n_items) const {
  RSD_CHECK(n_items <= proposal.size(), "items behind the proposal");
  std::vector<TokenId> sent(prompt.begin(), prompt.end());
  sent.reserve(prompt.size() + n_items + 1);
  for (const ItemId item : proposal.first(n_items))
    sent.emplace_back(identifiers[item.slot()].value());
  return sent;
}

std::vector<TokenId> RowQuestion::tokens_with_last_row() const {
  auto sent = tokens(rows.end - 1);
  const ItemId last = rows.end <= proposal.size() ? proposal[rows.end - 1] : ItemId(0);
  sent.emplace_back(identifiers[last.slot()].value());
  return sent;
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Error bad_answer(const std::string& what) {
  return {ErrorCode::kRuntime, "the answer " + what};
}

Result<Json> parse_answer(std::string_view answer) {
  auto json = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return bad_answer("isn't JSON");
  if (!json.is_object()) return bad_answer("isn't a JSON object");
  return json;
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::size_t> whole_number(const Json* value) {
  if (!value || !value->is_number_unsigned()) return std::nullopt;
  return value->get<std::size_t>();
}

std::optional<float> finite_number(const Json* value) {
  if (!value || !value->is_number()) return std::nullopt;
  const auto number = value->get<double>();
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) return std::nullopt;
  return static_cast<float>(number);
}

Result<void> check_finite(const LogitMatrix& rows) {
  for (const float value : rows.values())
    if (!std::isfinite(value)) return bad_answer("holds a log-probability that is not finite");
  return {};
}

}  // namespace rsd
