#include "rank_shape.h"

#include <set>
#include <utility>

#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"

namespace rsd::server {
namespace {

// What a request line can have (data/request_reader.h).
constexpr std::initializer_list<const char*> kRequestFields = {"id",         "query",     "history",
                                                               "candidates", "relevance", "task"};

std::variant<Request, Failure> parse_item(const Json& item, const std::string& id,
                                          std::size_t max_candidates) {
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
  Json line = item;
  if (const auto own = line.find("id"); own == line.end() || own->is_null()) line["id"] = id;
  auto request = parse_request(line.dump(), id);
  if (!request) return failure_of(request.error());
  return *std::move(request);
}

std::string id_of(const Json& item, const std::string& fallback) {
  if (!item.is_object()) return fallback;
  const auto id = item.find("id");
  if (id == item.end() || (!id->is_string() && !id->is_number_integer())) return fallback;
  return id->is_string() ? id->get<std::string>() : id->dump();
}

Failure invalid(const std::string& message) {
  return {.status = 400, .message = message};
}

// Options stand beside the list: they are the same for all of it.
std::variant<Request, Failure> parse_list_item(const Json& item, const std::string& id,
                                               std::size_t max_candidates) {
  if (item.is_object()) {
    Fields fields(item);
    fields.ignore(kRequestFields);
    if (const auto known = fields.finish(); !known) return failure_of(known.error());
  }
  return parse_item(item, id, max_candidates);
}

std::optional<Failure> read_list(const Json& list, const RankLimits& limits, RankCall& call) {
  if (!list.is_array()) return invalid(wrong_value("requests", list, "an array").message());
  if (list.empty()) return invalid("requests is empty");
  if (list.size() > limits.max_requests) {
    return Failure{.status = 413,
                   .message = "requests has " + std::to_string(list.size()) +
                              " entries; this server takes at most " +
                              std::to_string(limits.max_requests) + " at a time"};
  }
  call.items.reserve(list.size());
  std::set<std::string> ids;
  for (const Json& item : list) {
    const std::string id = id_of(item, std::to_string(call.items.size()));
    if (!ids.insert(id).second) {
      call.items.push_back({.id = id, .request = invalid("the id " + id + " is repeated")});
    } else {
      call.items.push_back({.id = id, .request = parse_list_item(item, id, limits.max_candidates)});
    }
  }
  return std::nullopt;
}

Answer answer_of(const Ranked& ranked) {
  const Outcome& outcome = ranked.outcome;
  return {.ranking = outcome.ranking,
          .decoder = ranked.decoder,
          .budget = ranked.budget,
          .encodings = outcome.encodings,
          .verified_prefix = outcome.verified_prefix,
          .tokens_encoded = outcome.tokens_encoded,
          .truncated_candidates = ranked.truncated_candidates,
          .deadline_hit = outcome.deadline_hit,
          .prefill_ms = outcome.timing.prefill_ms,
          .decode_ms = outcome.timing.decode_ms,
          .agent_ms = outcome.timing.agent_ms,
          .total_ms = outcome.timing.total_ms,
          .windows = ranked.windows};
}

OutJson indices(std::span<const ItemId> items) {
  OutJson list = OutJson::array();
  for (const ItemId item : items)
    list.push_back(item.value());
  return list;
}

// As docs/formats/trace.md names them.
OutJson rounds_of(const Ranked& ranked) {
  OutJson list = OutJson::array();
  if (!ranked.decoding) return list;
  const History& history = ranked.decoding->history();
  for (const Round& round : history.rounds()) {
    OutJson logits = OutJson::array();
    for (std::size_t j = 0; j < round.logits.n_rows(); ++j)
      logits.push_back(round.logits.row(j));
    OutJson told{{"proposal", indices(round.proposal)},
                 {"accepted", round.accepted},
                 {"known", indices(history.known().first(round.known))},
                 {"logits", std::move(logits)}};
    if (const std::size_t number = list.size(); number < ranked.outcome.round_ms.size())
      told["ms"] = ranked.outcome.round_ms[number];
    list.push_back(std::move(told));
  }
  return list;
}

}  // namespace

std::variant<RankCall, Failure> parse_rank(const Json& body, const std::string& fallback_id,
                                           const RankLimits& limits) {
  RankCall call;
  Fields fields(body);
  read_all_options(fields, call.options);
  call.rounds = fields.flag("rounds").value_or(false);
  call.options.tell_rounds = call.rounds;
  fields.ignore({"model"});
  const Json* list = fields.any("requests");
  call.is_list = list != nullptr;
  if (!call.is_list) fields.ignore(kRequestFields);
  if (const auto done = fields.finish(); !done) return failure_of(done.error());
  if (call.is_list) {
    if (auto failure = read_list(*list, limits, call)) return *std::move(failure);
    return call;
  }
  const std::string id = id_of(body, fallback_id);
  auto request = parse_item(body, id, limits.max_candidates);
  if (auto* failure = std::get_if<Failure>(&request)) return std::move(*failure);
  call.items.push_back({.id = id, .request = std::move(request)});
  return call;
}

OutJson rank_answer(const Ranked& ranked, bool rounds) {
  const auto line = format_answer(AnswerFormat::kJsonl, ranked.request, answer_of(ranked), "rsd");
  OutJson answer = OutJson::parse(line.value());  // both are valid UTF-8 since they were read
  answer["relevance_scores"] = ranked.scores.relevance;
  if (rounds) answer["rounds"] = rounds_of(ranked);
  return answer;
}

}  // namespace rsd::server
