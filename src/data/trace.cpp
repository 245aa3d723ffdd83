#include "rsd/data/trace.h"

#include <nlohmann/json.hpp>
#include <span>

#include "rsd/rank/split_key.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

Json indices(const std::vector<ItemId>& items) {
  Json list = Json::array();
  for (const ItemId item : items)
    list.push_back(item.value());
  return list;
}

// A model's path, and ids of requests that a program built, may contain bytes that are not UTF-8.
std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json matrix(const TraceRound& round, std::size_t n_items) {
  Json rows = Json::array();
  for (std::size_t j = 0; j < round.n_rows; ++j) {
    rows.push_back(std::span(round.logits).subspan(j * n_items, n_items));
  }
  return rows;
}

}  // namespace

Trace trace_of(const Request& request, const std::string& decoder, const RankedPart& part) {
  const History& history = part.history;
  Trace trace{.id = request.id,
              .window = part.window > 0 ? std::optional(part.window) : std::nullopt,
              .split_key = split_key(request),  // of the whole query, also where prompts cut it
              .task = request.task,
              .decoder = decoder,
              .n_items = history.n_items(),
              .rounds = {},
              .ranking = {part.ranking.items().begin(), part.ranking.items().end()},
              .target = std::nullopt};
  for (const Round& round : history.rounds()) {
    const auto known = history.known().first(round.known);
    const LogitMatrix logits = round.logits;
    trace.rounds.push_back({.proposal = round.proposal,
                            .accepted = round.accepted,
                            .known = {known.begin(), known.end()},
                            .n_rows = round.logits.n_rows(),
                            .logits = {logits.values().begin(), logits.values().end()}});
  }
  return trace;
}

std::string format_trace_header(std::string_view model) {
  const Json header{{"format", kTraceFormat}, {"version", kTraceVersion}, {"model", model}};
  return one_line(header);
}

std::string format_trace(const Trace& trace) {
  Json rounds = Json::array();
  for (const auto& round : trace.rounds) {
    rounds.push_back(Json{{"proposal", indices(round.proposal)},
                          {"accepted", round.accepted},
                          {"known", indices(round.known)},
                          {"logits", matrix(round, trace.n_items)}});
  }
  Json line{{"id", trace.id}};
  if (trace.window) line["window"] = *trace.window;
  line.update(Json{{"task", trace.task == Task::kPassage ? "passage" : "recommendation"},
                   {"decoder", trace.decoder},
                   {"n_items", trace.n_items},
                   {"rounds", std::move(rounds)},
                   {"ranking", indices(trace.ranking)}});
  if (!trace.split_key.empty()) line["split_key"] = trace.split_key;
  if (trace.target) line["target"] = indices(*trace.target);
  return one_line(line);
}

}  // namespace rsd
