#include "eval/record_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "json/read_json.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;  // for output, members in the order of insertion
using ReadJson = nlohmann::json;

// If a program built the request, ids and messages may contain bytes that are not UTF-8.
std::string one_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Thrown for well-formed JSON that is not a record; never leaves this file.
struct BadRecord {
  std::string what;
};

void require(bool condition, const char* what) {
  if (!condition) throw BadRecord{what};
}

Json to_json(const Ranking& ranking) {
  Json json = Json::array();
  for (const ItemId item : ranking.items())
    json.push_back(item.value());
  return json;
}

Json to_json(const Measurement& measurement, const Setting& setting) {
  Json difference = nullptr;
  if (measurement.difference) {
    difference = {{"position", measurement.difference->position.value()},
                  {"margin", measurement.difference->margin}};
  }
  const Outcome::Timing& timing = measurement.timing;
  return {{"setting", to_string(setting)},
          {"ranking", to_json(measurement.ranking)},
          {"encodings", measurement.encodings},
          {"tokens_encoded", measurement.tokens_encoded},
          {"verified_prefix", measurement.verified_prefix},
          {"timing_ms",
           {{"prefill", timing.prefill_ms},
            {"decode", timing.decode_ms},
            {"agent", timing.agent_ms},
            {"total", timing.total_ms}}},
          {"difference", std::move(difference)}};
}

Ranking ranking_from(const ReadJson& json, std::size_t n_items) {
  std::vector<ItemId> items;
  for (const ReadJson& item : json)
    items.emplace_back(item.get<std::int32_t>());
  auto ranking = Ranking::create(std::move(items));
  require(ranking.ok() && ranking->size() == n_items, "a ranking is no permutation of the items");
  return *std::move(ranking);
}

Measurement measurement_from(const ReadJson& json, const Setting& setting, std::size_t n_items) {
  require(json.at("setting") == to_string(setting), "its settings are not those of the file");
  const ReadJson& timing = json.at("timing_ms");
  Measurement measurement{.ranking = ranking_from(json.at("ranking"), n_items),
                          .encodings = json.at("encodings").get<std::size_t>(),
                          .tokens_encoded = json.at("tokens_encoded").get<std::size_t>(),
                          .verified_prefix = json.at("verified_prefix").get<std::size_t>(),
                          .timing = {.prefill_ms = timing.at("prefill").get<double>(),
                                     .decode_ms = timing.at("decode").get<double>(),
                                     .agent_ms = timing.at("agent").get<double>(),
                                     .total_ms = timing.at("total").get<double>()}};
  if (const ReadJson& difference = json.at("difference"); !difference.is_null()) {
    const auto position = difference.at("position").get<std::int32_t>();
    require(position >= 0 && static_cast<std::size_t>(position) < n_items,
            "a position is too high");
    measurement.difference = {Position(position), difference.at("margin").get<double>()};
  }
  return measurement;
}

std::optional<Labels> labels_from(const ReadJson& json, std::size_t n_items) {
  if (json.at("grades").is_null()) return std::nullopt;
  Labels labels;
  for (const ReadJson& grade : json.at("grades")) {
    labels.grades.push_back(grade.is_null() ? std::nullopt : std::optional(grade.get<int>()));
  }
  labels.judged = json.at("judged").get<std::vector<int>>();
  require(labels.grades.size() == n_items, "there is not one grade an item");
  return labels;
}

// The presented order: a permutation of at least one item.
std::vector<std::size_t> order_from(const ReadJson& json) {
  auto order = json.get<std::vector<std::size_t>>();
  auto sorted = order;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    require(sorted[i] == i, "its order is no permutation");
  require(!order.empty(), "it has no items");
  return order;
}

RequestRecord record_from(const ReadJson& json, const std::vector<Setting>& settings) {
  RequestRecord record{.id = json.at("id").get<std::string>(),
                       .digest = json.at("digest").get<std::string>(),
                       .order = order_from(json.at("order")),
                       .truncated_candidates = json.at("truncated_candidates").get<std::size_t>()};
  record.labels = labels_from(json, record.order.size());
  record.relevance = json.at("relevance").get<std::vector<float>>();
  require(record.relevance.empty() || record.relevance.size() == record.order.size(),
          "there is not one relevance an item");
  const ReadJson& measurements = json.at("settings");
  require(measurements.size() == settings.size(), "its settings are not those of the file");
  for (std::size_t s = 0; s < settings.size(); ++s) {
    record.measurements.push_back(
        measurement_from(measurements.at(s), settings[s], record.order.size()));
  }
  for (const ReadJson& ranking : json.at("reordered"))
    record.reordered.push_back(ranking_from(ranking, record.order.size()));
  return record;
}

}  // namespace

std::string record_to_json(const RequestRecord& record, const std::vector<Setting>& settings) {
  RSD_CHECK(record.measurements.size() == settings.size(), "one measurement a setting");
  Json grades = nullptr;
  Json judged = nullptr;
  if (record.labels) {
    grades = Json::array();
    for (const auto& grade : record.labels->grades)
      grades.push_back(grade ? Json(*grade) : Json(nullptr));
    judged = record.labels->judged;
  }
  Json measurements = Json::array();
  for (std::size_t s = 0; s < settings.size(); ++s) {
    measurements.push_back(to_json(record.measurements[s], settings[s]));
  }
  Json reordered = Json::array();
  for (const Ranking& ranking : record.reordered)
    reordered.push_back(to_json(ranking));
  return one_line({{"id", record.id},
                   {"digest", record.digest},
                   {"order", record.order},
                   {"grades", std::move(grades)},
                   {"judged", std::move(judged)},
                   {"truncated_candidates", record.truncated_candidates},
                   {"relevance", record.relevance},
                   {"settings", std::move(measurements)},
                   {"reordered", std::move(reordered)}});
}

std::string failure_to_json(const FailedRequest& failure) {
  return one_line({{"id", failure.id},
                   {"error",
                    {{"code", std::string(to_string(failure.error.code()))},
                     {"message", failure.error.message()}}}});
}

Result<std::optional<RequestRecord>> record_from_json(std::string_view line,
                                                      const std::vector<Setting>& settings) {
  const auto json = read_json(line, {.subject = "the line"});
  if (!json) return json.error().within("no record");
  try {
    if (json->contains("error")) return std::optional<RequestRecord>();
    return std::optional(record_from(*json, settings));
  } catch (const ReadJson::exception& exception) {
    return Error(ErrorCode::kInvalidInput, std::string("no record: ") + exception.what());
  } catch (const BadRecord& bad) {
    return Error(ErrorCode::kInvalidInput, "no record: " + bad.what);
  }
}

}  // namespace rsd
