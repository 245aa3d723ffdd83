// The figures of an evaluation: what results.json, table.md and report.html show.
//
// Means are over the requests that succeeded. Percentiles are by nearest rank: the smallest value
// that at least p percent of the values do not exceed, so always one that was measured. nullopt
// stands for figures that do not exist (null in JSON, a dash in tables).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/machine.h"
#include "rsd/eval/evaluation.h"
#include "rsd/eval/record.h"
#include "rsd/eval/setting.h"

namespace rsd {

// Against relevance labels (rank/relevance_metrics.h), over the requests that have any.
struct RelevanceFigures {
  double ndcg_at_10 = 0;
  double mrr = 0;
  double recall_at_1 = 0;
};

// How often `exact` differs from step-by-step `ar`, and by what margin of ar's logits at the first
// difference (see Difference).
struct ExactFigures {
  double differs_from_ar = 0;  // share of requests
  std::optional<double> margin_median;
  std::optional<double> margin_max;
};

// One setting's figures.
struct Row {
  Setting setting;
  std::size_t requests = 0;
  double encodings = 0;  // means
  double tokens_encoded = 0;
  double verified_prefix = 0;
  double kt = 0;  // against ar's ranking (rank/agreement.h), means
  double sr = 0;
  double fd = 0;
  double kd = 0;
  std::optional<RelevanceFigures> relevance;
  double p50_ms = 0;  // of the total
  double p95_ms = 0;
  double prefill_p50_ms = 0;
  double decode_p50_ms = 0;
  double agent_p50_ms = 0;
  // Element j: of the requests that have a position j, the share whose item there isn't the
  // target's.
  std::vector<double> disagreement_by_position;
  std::optional<ExactFigures> exact;  // of exact only
};

// What is to be imitated, and whether it is worth it.
struct TargetFigures {
  std::optional<RelevanceFigures> target;
  std::optional<RelevanceFigures> single_token;  // of std, when it is among the settings
  std::optional<RelevanceFigures> input;         // of the file's order, before any shuffling
  std::optional<RelevanceFigures> random;  // means over 100 seeded random orders of each request
  // Mean Kendall tau between the target ranking and the order of presentation, over requests with
  // two items and more: 1 = the LLM spells out the identifiers, -1 = backwards.
  std::optional<double> letter_bias;
  // Kendall tau between the target rankings of the same request, its candidates presented in
  // different shuffled orders: mean over the pairs of orders, then over requests with two items and
  // more. 1 = the order does not matter, 0 = nothing but the order does.
  std::optional<double> order_consistency;
  std::size_t order_shuffles = 0;  // orders per request; 0 = not measured
};

struct DatasetResults {
  std::string name;
  std::size_t requests = 0;  // that succeeded
  std::vector<FailedRequest> failed;
  std::size_t truncated_candidates = 0;
  std::vector<Row> rows;
  TargetFigures target;
  std::vector<std::string> warnings;  // in plain words: why the target may not be worth imitating
};

struct Results {
  std::string model;
  std::size_t threads = 0;
  std::string rsd_version;
  std::string command_line;
  Machine machine;  // described when the evaluation began
  std::optional<std::uint64_t> shuffle_seed;
  std::vector<DatasetResults> datasets;
};

// Pure: the same evaluation gives the same figures. O(settings * requests * K^2). The evaluation
// has records (LogicError).
DatasetResults aggregate(const Evaluation& evaluation);

// The contract of results.json: {"model", "threads", "rsd_version", "command_line", "machine",
// "load_average", "shuffle", "datasets": [{"name", "requests", "failed", "truncated_candidates",
// "rows", "target", "warnings"}]}. Ends in a newline.
std::string to_json(const Results& results);

// A Markdown table for each dataset.
std::string to_markdown(const Results& results);

}  // namespace rsd
