#include "rsd/data/trace.h"

#include <nlohmann/json.hpp>
#include <span>

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
