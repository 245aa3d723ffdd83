#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "json/read_json.h"
#include "rsd/trace/trace.h"

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

Ranking ranking(const Json& object, const char* key, std::size_t n_items) {
  auto ranked = Ranking::create(items(object, key, n_items));
  require(ranked.ok() && ranked->size() == n_items,
          std::string(key) + " must hold all " + std::to_string(n_items) + " items");
  return *std::move(ranked);
}

LogitMatrix logits(const Json& round, std::size_t n_items, std::size_t n_most) {
  const Json& rows = member(round, "logits");
  require(rows.is_array() && !rows.empty() && rows.size() <= n_items,
          "logits must have 1 to n_items rows");
  require(rows.size() <= n_most, "logits has rows beyond the proposal");
  LogitMatrix matrix(rows.size(), n_items);
  for (std::size_t j = 0; j < rows.size(); ++j) {
    require(rows[j].is_array() && rows[j].size() == n_items,
            "logits must have n_items numbers a row");
    for (std::size_t i = 0; i < n_items; ++i) {
      require(rows[j][i].is_number(), "logits must be numbers");
      matrix.row(j)[i] = rows[j][i].get<float>();
      require(std::isfinite(matrix.row(j)[i]), "logits must be finite");
    }
  }
  return matrix;
}

// Adds a recorded round as if it had just been encoded: rows that an earlier round has computed are
// that round's.
void add(History& history, std::vector<ItemId> proposal, const LogitMatrix& recorded) {
  require(!history.complete(), "all items are known before it");
  const auto known = history.known();
  require(
      proposal.size() >= known.size() && std::equal(known.begin(), known.end(), proposal.begin()),
      "proposal does not begin with the items known before it");
  const RowRange rows = history.missing_rows(proposal, recorded.n_rows());
  require(rows.size() > 0, "logits has no row that is new");
  LogitMatrix missing(rows.size(), history.n_items());
  for (std::size_t j = 0; j < rows.size(); ++j)
    std::ranges::copy(recorded.row(rows.first + j), missing.row(j).begin());
  const auto added = history.add(std::move(proposal), rows, missing);
  if (!added) throw BadTrace{added.error().message()};
}

void add_round(History& history, const Json& round) {
  const std::size_t n_items = history.n_items();
  auto proposal = items(round, "proposal", n_items);
  require(count(round, "accepted") <= proposal.size(), "accepted is beyond the proposal");
  items(round, "known", n_items);
  const LogitMatrix recorded = logits(round, n_items, proposal.size() + 1);
  add(history, std::move(proposal), recorded);
}

std::size_t n_items_from(const Json& json) {
  constexpr std::size_t kMaxItems = 4096;
  const std::size_t n_items = count(json, "n_items");
  require(n_items >= 1 && n_items <= kMaxItems,
          "n_items must be 1 to " + std::to_string(kMaxItems));
  return n_items;
}

History history_from(const Json& json) {
  const std::size_t n_items = n_items_from(json);
  const Json& rounds = member(json, "rounds");
  require(rounds.is_array(), "rounds must be a list");
  History history(n_items, kEveryRound);
  for (std::size_t t = 0; t < rounds.size(); ++t) {
    try {
      add_round(history, rounds[t]);
    } catch (const BadTrace& bad) {
      throw BadTrace{"rounds[" + std::to_string(t) + "]: " + bad.what};
    }
  }
  return history;
}

std::optional<std::size_t> window_from(const Json& json) {
  if (!json.contains("window") || json.at("window").is_null()) return std::nullopt;
  const std::size_t window = count(json, "window");
  require(window >= 1, "window must be at least 1");
  return window;
}

Task task_from(const Json& json) {
  const std::string task = text(json, "task");
  require(task == "passage" || task == "recommendation", "task must be passage or recommendation");
  return task == "passage" ? Task::kPassage : Task::kRecommendation;
}

Trace trace_from(const Json& json) {
  Trace trace{.id = text(json, "id"),
              .window = window_from(json),
              .task = task_from(json),
              .decoder = text(json, "decoder"),
              .history = history_from(json),
              .ranking = {}};
  const std::size_t n_items = trace.history.n_items();
  trace.ranking = ranking(json, "ranking", n_items);
  if (json.contains("split_key")) trace.split_key = text(json, "split_key");
  if (json.contains("target")) trace.target = ranking(json, "target", n_items);
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
