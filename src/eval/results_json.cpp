#include <nlohmann/json.hpp>
#include <utility>

#include "rsd/eval/results.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json name_or_null(std::string_view name) {
  return name.empty() ? Json(nullptr) : Json(std::string(name));
}

// Adds "ndcg@10<suffix>", "mrr<suffix>" and "recall@1<suffix>".
void add_relevance(Json& json, const std::optional<RelevanceFigures>& figures,
                   const std::string& suffix) {
  json["ndcg@10" + suffix] = figures ? Json(figures->ndcg_at_10) : Json(nullptr);
  json["mrr" + suffix] = figures ? Json(figures->mrr) : Json(nullptr);
  json["recall@1" + suffix] = figures ? Json(figures->recall_at_1) : Json(nullptr);
}

Json row_to_json(const Row& row) {
  const Setting& setting = row.setting;
  Json json = {{"decoder", std::string(to_string(setting.decoder))},
               {"policy", name_or_null(setting.policy)},
               {"draft", name_or_null(draft_of(setting) ? to_string(*draft_of(setting)) : "")},
               {"budget", or_null(setting.budget)},
               {"requests", row.requests},
               {"encodings", row.encodings},
               {"tokens_encoded", row.tokens_encoded},
               {"verified_prefix", row.verified_prefix},
               {"kt", row.kt},
               {"sr", row.sr},
               {"fd", row.fd},
               {"kd", row.kd}};
  add_relevance(json, row.relevance, "");
  json["p50_ms"] = row.p50_ms;
  json["p95_ms"] = row.p95_ms;
  json["prefill_p50_ms"] = row.prefill_p50_ms;
  json["decode_p50_ms"] = row.decode_p50_ms;
  json["agent_p50_ms"] = row.agent_p50_ms;
  json["disagreement_by_position"] = row.disagreement_by_position;
  if (row.exact) {
    json["differs_from_ar"] = row.exact->differs_from_ar;
    json["margin_median"] = or_null(row.exact->margin_median);
    json["margin_max"] = or_null(row.exact->margin_max);
  }
  return json;
}

Json target_to_json(const TargetFigures& target) {
  Json json = Json::object();
  add_relevance(json, target.target, "");
  add_relevance(json, target.single_token, "_std");
  add_relevance(json, target.input, "_input");
  add_relevance(json, target.random, "_random");
  json["letter_bias"] = or_null(target.letter_bias);
  json["order_consistency"] = or_null(target.order_consistency);
  json["order_shuffles"] = target.order_shuffles;
  return json;
}

Json reliability_to_json(const ReliabilityFigures& reliability) {
  Json bins = Json::array();
  for (const ReliabilityFigures::Bin& bin : reliability.bins) {
    bins.push_back({{"probability", bin.probability},
                    {"relevant", bin.relevant},
                    {"candidates", bin.candidates}});
  }
  return {{"candidates", reliability.candidates},
          {"relevant_from", reliability.relevant_from},
          {"relevant", reliability.relevant},
          {"brier", reliability.brier},
          {"calibration_error", reliability.calibration_error},
          {"area_under_roc", or_null(reliability.area_under_roc)},
          {"bins", std::move(bins)}};
}

Json dataset_to_json(const DatasetResults& dataset) {
  Json failed = Json::array();
  for (const FailedRequest& failure : dataset.failed) {
    failed.push_back({{"id", failure.id},
                      {"code", std::string(to_string(failure.error.code()))},
                      {"message", failure.error.message()}});
  }
  Json rows = Json::array();
  for (const Row& row : dataset.rows)
    rows.push_back(row_to_json(row));
  return {{"name", dataset.name},
          {"requests", dataset.requests},
          {"failed", std::move(failed)},
          {"truncated_candidates", dataset.truncated_candidates},
          {"rows", std::move(rows)},
          {"target", target_to_json(dataset.target)},
          {"reliability",
           dataset.reliability ? reliability_to_json(*dataset.reliability) : Json(nullptr)},
          {"warnings", dataset.warnings}};
}

}  // namespace

std::string to_json(const Results& results) {
  Json datasets = Json::array();
  for (const DatasetResults& dataset : results.datasets)
    datasets.push_back(dataset_to_json(dataset));
  const Machine& machine = results.machine;
  const Json json = {{"model", results.model},
                     {"threads", results.threads},
                     {"rsd_version", results.rsd_version},
                     {"command_line", results.command_line},
                     {"machine",
                      {{"cpu", machine.cpu},
                       {"cpus", machine.n_cpus},
                       {"memory_bytes", machine.memory_bytes},
                       {"system", machine.system}}},
                     {"load_average", or_null(machine.load_average)},
                     {"shuffle", or_null(results.shuffle_seed)},
                     {"datasets", std::move(datasets)}};
  // Ids and paths may contain bytes that are not UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace rsd
