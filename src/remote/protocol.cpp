#include "remote/protocol.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "remote/protocol_json.h"
#include "rsd/core/check.h"
#include "rsd/core/shown_text.h"

namespace rsd {

using Json = nlohmann::json;

std::vector<TokenId> RowQuestion::tokens(std::size_t n_items) const {
  RSD_CHECK(n_items <= proposal.size(), "items after the proposal");
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

void append_member(std::string& text, std::string_view name, std::string_view value) {
  if (!value.empty()) text += "," + json_string(name) + ":" + json_string(value);
}

Error bad_answer(const std::string& what) {
  return {ErrorCode::kRuntime, "the answer " + shown_text(what)};
}

Result<JsonAnswer> parse_answer(std::string_view answer) {
  auto json = JsonAnswer::parse(answer);
  if (!json) return json;
  if (!members(json->root())) return bad_answer("isn't a JSON object");
  return json;
}

SlotOf slots_of(std::span<const IdentifierToken> identifiers) {
  SlotOf slots;
  for (std::size_t i = 0; i < identifiers.size(); ++i)
    slots.emplace(identifiers[i].slot(), i);
  return slots;
}

Result<void> check_finite(const LogitMatrix& rows) {
  for (const float value : rows.values())
    if (!std::isfinite(value)) return bad_answer("holds a log-probability that is not finite");
  return {};
}

}  // namespace rsd
