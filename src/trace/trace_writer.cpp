#include <nlohmann/json.hpp>
#include <utility>

#include "rsd/rank/split_key.h"
#include "rsd/trace/trace.h"
#include "trace/rounds_json.h"

namespace rsd {
namespace {

using nlohmann::ordered_json;

ordered_json list_of(const Ranking& ranking) {
  ordered_json list = ordered_json::array();
  for (const ItemId item : ranking.items())
    list.push_back(item.value());
  return list;
}

// A model's path, and ids of requests that a program built, may contain bytes that are not UTF-8.
std::string one_line(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Trace trace_of(const Request& request, std::string decoder, History history, Ranking ranking) {
  return {.id = request.id,
          .split_key = split_key(request),  // of the whole query, also where prompts cut it
          .task = request.task,
          .decoder = std::move(decoder),
          .history = std::move(history),
          .ranking = std::move(ranking)};
}

std::string format_trace_header(std::string_view model) {
  const ordered_json header{{"format", kTraceFormat}, {"version", kTraceVersion}, {"model", model}};
  return one_line(header);
}

std::string format_trace(const Trace& trace) {
  const std::size_t n_items = trace.history.n_items();
  const Ranking items = Ranking::identity(n_items);
  ordered_json line{{"id", trace.id}};
  if (trace.window) line["window"] = *trace.window;
  line.update(ordered_json{
      {"task", trace.task == Task::kPassage ? "passage" : "recommendation"},
      {"decoder", trace.decoder},
      {"n_items", n_items},
      {"rounds", rounds_json(trace.history, {.of_items = items.items(), .n_indices = n_items})},
      {"ranking", list_of(trace.ranking)}});
  if (!trace.split_key.empty()) line["split_key"] = trace.split_key;
  if (trace.target) line["target"] = list_of(*trace.target);
  return one_line(line);
}

}  // namespace rsd
