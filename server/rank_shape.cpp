#include "rank_shape.h"

#include <set>
#include <utility>

#include "rsd/core/shown_text.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"

namespace rsd::server {
namespace {

// What a request line can have (data/request_reader.h).
constexpr std::initializer_list<const char*> kRequestFields = {
    "id", "_id", "qid", "query_id", "query", "history", "candidates", "relevance", "task"};

std::variant<Request, Failure> parse_request_of(const Json& item, const std::string& fallback_id,
                                                const RankRules& rules) {
  const std::size_t max_candidates = rules.max_candidates;
  if (!item.is_object()) {
    return Failure{.status = 400,
                   .message = wrong_value("the request", item, "a JSON object").message()};
  }
  if (const auto list = item.find("candidates");
      list != item.end() && list->is_array() && list->size() > max_candidates) {
    return Failure{.status = 413,
                   .message = "candidates has " + std::to_string(list->size()) +
                              " entries; this server takes at most " +
                              std::to_string(max_candidates)};
  }
  auto request =
      parse_request(item.dump(), fallback_id,
                    {.without_id = RequestLimits::WithoutId::kFallback, .texts = rules.texts});
  if (!request) return failure_of(request.error());
  return *std::move(request);
}

RankItem parse_item(const Json& item, const std::string& fallback_id, const RankRules& rules) {
  auto request = parse_request_of(item, fallback_id, rules);
  const auto* good = std::get_if<Request>(&request);
  std::string id = good != nullptr ? good->id : request_id(item.dump()).value_or(fallback_id);
  return {.id = std::move(id), .request = std::move(request)};
}

std::string shown_id(const std::string& id) {
  constexpr std::size_t kShownChars = 60;
  return shown_text(id, kShownChars);
}

Failure invalid(const std::string& message) {
  return {.status = 400, .message = message};
}

// Options stand beside the list: they are the same for all of it.
RankItem parse_list_item(const Json& item, const std::string& fallback_id, const RankRules& rules) {
  RankItem parsed = parse_item(item, fallback_id, rules);
  if (item.is_object()) {
    Fields fields(item);
    fields.ignore(kRequestFields);
    if (const auto known = fields.finish(); !known) parsed.request = failure_of(known.error());
  }
  return parsed;
}

std::optional<Failure> read_list(const Json& list, const RankRules& rules, RankCall& call) {
  if (!list.is_array()) return invalid(wrong_value("requests", list, "an array").message());
  if (list.empty()) return invalid("requests is empty");
  if (list.size() > rules.max_requests) {
    return Failure{.status = 413,
                   .message = "requests has " + std::to_string(list.size()) +
                              " entries; this server takes at most " +
                              std::to_string(rules.max_requests) + " at a time"};
  }
  call.items.reserve(list.size());
  std::set<std::string> ids;
  for (const Json& item : list) {
    auto parsed = parse_list_item(item, std::to_string(call.items.size()), rules);
    if (!ids.insert(parsed.id).second)
      parsed.request = invalid("the id " + shown_id(parsed.id) + " is repeated");
    call.items.push_back(std::move(parsed));
  }
  return std::nullopt;
}

// The decoding of a list in one prompt; nullptr where nothing was kept.
const RankedPart* only_part(const Answer& answer) {
  return answer.windows || answer.rounds.empty() ? nullptr : &answer.rounds.front();
}

// Rounds are about the candidates that the LLM saw; clients know them by their places in the
// request.
OutJson indices(std::span<const ItemId> items, const RankedPart& part) {
  OutJson list = OutJson::array();
  for (const ItemId item : items)
    list.push_back(part.items[item.slot()].value());
  return list;
}

// A blank candidate has no logit.
OutJson logits_of(std::span<const float> row, const RankedPart& part, std::size_t n_candidates) {
  OutJson list(n_candidates, OutJson());
  for (std::size_t i = 0; i < row.size(); ++i)
    list[part.items[i].slot()] = row[i];
  return list;
}

// As docs/formats/trace.md names them.
OutJson rounds_of(const Answer& answer) {
  OutJson list = OutJson::array();
  const RankedPart* part = only_part(answer);
  if (part == nullptr) return list;
  for (const Round& round : part->history.rounds()) {
    OutJson logits = OutJson::array();
    for (std::size_t j = 0; j < round.logits.n_rows(); ++j)
      logits.push_back(logits_of(round.logits.row(j), *part, answer.ranking.size()));
    OutJson shown{{"proposal", indices(round.proposal, *part)},
                  {"accepted", round.accepted},
                  {"known", indices(part->history.known().first(round.known), *part)},
                  {"logits", std::move(logits)}};
    if (const std::size_t number = list.size(); number < part->round_ms.size())
      shown["ms"] = part->round_ms[number];
    list.push_back(std::move(shown));
  }
  return list;
}

}  // namespace

std::variant<RankCall, Failure> parse_rank(const Json& body, const std::string& fallback_id,
                                           const RankRules& rules) {
  RankCall call{.options = rules.defaults};
  Fields fields(body);
  read_all_options(fields, call.options);
  call.options.keep_rounds = fields.flag("rounds").value_or(false);
  fields.ignore({"model"});
  const Json* list = fields.any("requests");
  call.is_list = list != nullptr;
  if (!call.is_list) fields.ignore(kRequestFields);
  if (const auto done = fields.finish(); !done) return failure_of(done.error());
  if (call.is_list) {
    if (auto failure = read_list(*list, rules, call)) return *std::move(failure);
    return call;
  }
  auto parsed = parse_item(body, fallback_id, rules);
  if (auto* failure = std::get_if<Failure>(&parsed.request)) return std::move(*failure);
  call.items.push_back(std::move(parsed));
  return call;
}

std::size_t n_round_logits(const Ranked& ranked) {
  const RankedPart* part = only_part(ranked.answer);
  if (part == nullptr) return 0;
  std::size_t n_rows = 0;
  for (const Round& round : part->history.rounds())
    n_rows += round.logits.n_rows();
  return n_rows * ranked.answer.ranking.size();
}

OutJson rank_answer(const Ranked& ranked, Rounds rounds) {
  const auto line = format_answer(AnswerFormat::kJsonl, ranked.request(), ranked.answer, "rsd");
  OutJson answer = OutJson::parse(line.value());  // both are valid UTF-8 since they were read
  answer["relevance_scores"] = ranked.answer.relevance;
  if (rounds == Rounds::kShown) answer["rounds"] = rounds_of(ranked.answer);
  return answer;
}

}  // namespace rsd::server
