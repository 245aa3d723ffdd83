#include "server/api/rank_shape.h"

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "rsd/core/shown_text.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "server/api/error_reply.h"
#include "trace/rounds_json.h"

namespace rsd::server {
namespace {

// The fields of a request line (data/request_reader.h).
constexpr std::initializer_list<const char*> kRequestFields = {
    "id",    "_id",     "qid",        "query_id", "query-id",  "topic_id",
    "query", "history", "candidates", "hits",     "relevance", "task"};

std::variant<Request, Failure> parse_request_of(const Json& item, const std::string& fallback_id,
                                                const RankRules& rules) {
  const std::size_t max_candidates = rules.max_candidates;
  if (!item.is_object()) {
    return Failure{.status = 400,
                   .message = wrong_value("the request", item, "a JSON object").message()};
  }
  for (const char* name : {"candidates", "hits"}) {
    const auto list = item.find(name);
    if (list == item.end() || !list->is_array() || list->size() <= max_candidates) continue;
    return Failure{.status = 413,
                   .message = std::string(name) + " has " + std::to_string(list->size()) +
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
  constexpr std::size_t kShownIdChars = 60;
  return shown_text(id, kShownIdChars);
}

Failure bad_request(const std::string& message) {
  return {.status = 400, .message = message};
}

// An item may have no options: they are the same for the whole list.
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
  if (!list.is_array()) return bad_request(wrong_value("requests", list, "an array").message());
  if (list.empty()) return bad_request("requests is empty");
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
      parsed.request = bad_request("the id " + shown_id(parsed.id) + " is repeated");
    call.items.push_back(std::move(parsed));
  }
  return std::nullopt;
}

// The decoding of a list in one prompt; nullptr if its rounds were not kept.
const RankedPart* only_part(const Answer& answer) {
  return answer.windows || answer.rounds.empty() ? nullptr : &answer.rounds.front();
}

// The rounds of a trace. Clients know the candidates by their places in the request, blank ones
// included, which have no logit.
OutJson rounds_of(const Answer& answer) {
  const RankedPart* part = only_part(answer);
  if (part == nullptr) return OutJson::array();
  OutJson rounds =
      rounds_json(part->history, {.of_items = part->items, .n_indices = answer.ranking.size()});
  for (std::size_t t = 0; t < std::min(rounds.size(), part->round_ms.size()); ++t)
    rounds[t]["ms"] = part->round_ms[t];
  return rounds;
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
  answer["relevance_scores"] = listed_relevance(ranked.answer);
  if (rounds == Rounds::kShown) answer["rounds"] = rounds_of(ranked.answer);
  return answer;
}

}  // namespace rsd::server
