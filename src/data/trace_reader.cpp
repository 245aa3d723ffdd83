#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "json/read_json.h"
#include "rsd/data/trace.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

struct BadTrace {
  std::string what;
};

void require(bool condition, const std::string& what) {
  if (!condition) throw BadTrace{what};
}

const Json& member(const Json& object, const char* key) {
  require(object.is_object() && object.contains(key), std::string(key) + " is missing");
  return object.at(key);
}

std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  require(value.is_string(), std::string(key) + " must be a text");
  return value.get<std::string>();
}

std::size_t count(const Json& object, const char* key) {
  const Json& value = member(object, key);
  require(value.is_number_unsigned(), std::string(key) + " must be a whole number");
  return value.get<std::size_t>();
}

// Reads a list of distinct items.
std::vector<ItemId> items(const Json& object, const char* key, std::size_t n_items) {
  const Json& list = member(object, key);
  require(list.is_array(), std::string(key) + " must be a list");
  std::vector<char> seen(n_items, 0);
  std::vector<ItemId> result;
  for (const Json& entry : list) {
    const bool in_range = entry.is_number_unsigned() && entry.get<std::size_t>() < n_items;
    require(in_range, std::string(key) + ": " + entry.dump() + " is no item; they are 0 to " +
                          std::to_string(n_items - 1));
    const auto item = entry.get<std::size_t>();
    require(!seen[item], std::string(key) + ": item " + std::to_string(item) + " is repeated");
    seen[item] = 1;
    result.emplace_back(item);
  }
  return result;
}

std::vector<ItemId> ranking(const Json& object, const char* key, std::size_t n_items) {
  auto result = items(object, key, n_items);
  require(result.size() == n_items,
          std::string(key) + " must hold all " + std::to_string(n_items) + " items");
  return result;
}

TraceRound round_from(const Json& json, std::size_t n_items) {
  TraceRound round{.proposal = items(json, "proposal", n_items),
                   .accepted = count(json, "accepted"),
                   .known = items(json, "known", n_items)};
  require(round.accepted <= round.proposal.size(), "accepted is beyond the proposal");
  const Json& rows = member(json, "logits");
  require(rows.is_array() && !rows.empty() && rows.size() <= n_items,
          "logits must have 1 to n_items rows");
  require(rows.size() <= round.proposal.size() + 1, "logits has rows beyond the proposal");
  round.n_rows = rows.size();
  for (const Json& row : rows) {
    require(row.is_array() && row.size() == n_items, "logits must have n_items numbers a row");
    for (const Json& value : row) {
      require(value.is_number(), "logits must be numbers");
      round.logits.push_back(value.get<float>());
      require(std::isfinite(round.logits.back()), "logits must be finite");
    }
  }
  return round;
}

Trace trace_from(const Json& json) {
  constexpr std::size_t kMaxItems = 4096;
  Trace trace{
      .id = text(json, "id"), .window = {}, .split_key = {}, .decoder = text(json, "decoder")};
  if (json.contains("window") && !json.at("window").is_null()) {
    trace.window = count(json, "window");
    require(*trace.window >= 1, "window must be at least 1");
  }
  const std::string task = text(json, "task");
  require(task == "passage" || task == "recommendation", "task must be passage or recommendation");
  trace.task = task == "passage" ? Task::kPassage : Task::kRecommendation;
  trace.n_items = count(json, "n_items");
  require(trace.n_items >= 1 && trace.n_items <= kMaxItems,
          "n_items must be 1 to " + std::to_string(kMaxItems));
  const Json& rounds = member(json, "rounds");
  require(rounds.is_array(), "rounds must be a list");
  for (std::size_t t = 0; t < rounds.size(); ++t) {
    try {
      trace.rounds.push_back(round_from(rounds[t], trace.n_items));
    } catch (const BadTrace& bad) {
      throw BadTrace{"rounds[" + std::to_string(t) + "]: " + bad.what};
    }
  }
  trace.ranking = ranking(json, "ranking", trace.n_items);
  if (json.contains("split_key")) trace.split_key = text(json, "split_key");
  if (json.contains("target")) trace.target = ranking(json, "target", trace.n_items);
  return trace;
}

Result<Json> header_from(const std::string& line) {
  const auto read = read_json(line);
  const Json header = read && read->is_object() ? *read : Json::object();
  const auto format = header.value("format", Json());
  if (format != kTraceFormat)
    return Error(ErrorCode::kInvalidInput, "this is no trace file of rsd");
  const auto version = header.value("version", Json());
  if (version == kTraceVersion) return header;
  return Error(ErrorCode::kInvalidInput, "it is of version " + version.dump() +
                                             "; this rsd reads version " +
                                             std::to_string(kTraceVersion));
}

}  // namespace

Result<Trace> parse_trace(std::string_view line) {
  try {
    const auto json = read_json(line, {.subject = "the line"});
    if (!json) return json.error();
    require(json->is_object(), "this is no JSON object");
    return trace_from(*json);
  } catch (const BadTrace& bad) {
    return Error(ErrorCode::kInvalidInput, bad.what);
  }
}

Result<std::vector<Trace>> read_traces(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file) return Error(ErrorCode::kNotFound, path + " can't be opened");
  std::getline(file, line);
  if (auto header = header_from(line); !header) return header.error().within(path + ":1");
  std::vector<Trace> traces;
  for (std::size_t number = 2; std::getline(file, line); ++number) {
    auto trace = parse_trace(line);
    if (!trace) return trace.error().within(path + ":" + std::to_string(number));
    traces.push_back(*std::move(trace));
  }
  if (traces.empty()) return Error(ErrorCode::kInvalidInput, path + " has no traces");
  return traces;
}

Result<std::string> read_trace_model(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file) return Error(ErrorCode::kNotFound, path + " can't be opened");
  std::getline(file, line);
  const auto header = header_from(line);
  if (!header) return header.error().within(path + ":1");
  const auto model = header->value("model", Json());
  return model.is_string() ? model.get<std::string>() : std::string();
}

}  // namespace rsd
