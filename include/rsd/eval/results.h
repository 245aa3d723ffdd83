// The figures of an evaluation, as shown in results.json, table.md and report.html.
//
// Means are over the requests that succeeded. Percentiles are by nearest rank: the smallest
// measured value that at least p percent of the values do not exceed. nullopt means that a figure
// does not exist (null in JSON, a dash in tables).
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

// Relevance metrics (rank/relevance_metrics.h), over the requests that have labels.
struct RelevanceFigures {
  double ndcg_at_10 = 0;
  double mrr = 0;
  double recall_at_1 = 0;
};

// How often `exact` differs from step-by-step `ar`, and the margin of ar's logits at the first
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
  double p50_ms = 0;  // of the total time
  double p95_ms = 0;
  double prefill_p50_ms = 0;
  double decode_p50_ms = 0;
  double agent_p50_ms = 0;
  // Element j: the share of the requests with a position j whose item there isn't the target's.
  std::vector<double> disagreement_by_position;
  std::optional<ExactFigures> exact;  // only for exact
};

// Figures of the target ranking, which show whether it is worth imitating.
struct TargetFigures {
  std::optional<RelevanceFigures> target;
  std::optional<RelevanceFigures> single_token;  // of std, if it is among the settings
  std::optional<RelevanceFigures> input;         // of the input order, before any shuffling
  std::optional<RelevanceFigures> random;  // means over 100 seeded random orders of each request
  // Mean Kendall tau between the target ranking and the presented order, over requests with at
  // least two items: 1 = the LLM spells out the identifiers, -1 = backwards.
  std::optional<double> letter_bias;
  // Kendall tau between the target rankings of the same request with its candidates presented in
  // different shuffled orders: mean over the pairs of orders, then over requests with at least two
  // items. 1 = the presented order does not matter, 0 = nothing else matters.
  std::optional<double> order_consistency;
  std::size_t order_shuffles = 0;  // orders per request; 0 = not measured
};

// How well the relevance that an LLM reads fits the labels, candidate by candidate.
struct ReliabilityFigures {
  struct Bin {
    double probability = 0;  // mean of those that were claimed
    double relevant = 0;     // share of the candidates
    std::size_t candidates = 0;
  };
  std::size_t candidates = 0;
  int relevant_from = 1;         // the least grade that counts as relevant
  double relevant = 0;           // share of the candidates
  double brier = 0;              // mean squared difference of probability and truth; 0 is best
  double calibration_error = 0;  // mean difference of a bin's two shares, weighted by candidates
  // The share of pairs of a relevant and another candidate that the probabilities order rightly.
  std::optional<double> area_under_roc;
  std::vector<Bin> bins{};  // of equal width, at most ten, ascending, without empty ones
};

struct DatasetResults {
  std::string name;
  std::size_t requests = 0;  // requests that succeeded
  std::vector<FailedRequest> failed;
  std::size_t truncated_candidates = 0;
  std::vector<Row> rows;
  TargetFigures target;
  std::optional<ReliabilityFigures> reliability;  // of LLMs that read relevance, with labels
  std::vector<std::string> warnings;  // sentences: why the target may not be worth imitating
};

struct Results {
  std::string model;
  std::size_t threads = 0;
  std::string rsd_version;
  std::string command_line;
  Machine machine;  // described at the start of the evaluation
  std::optional<std::uint64_t> shuffle_seed;
  std::vector<DatasetResults> datasets;
};

// Computes the figures. Pure. O(settings * requests * K^2). LogicError if the evaluation has no
// records.
DatasetResults aggregate(const Evaluation& evaluation);

// The contract of results.json: {"model", "threads", "rsd_version", "command_line", "machine",
// "load_average", "shuffle", "datasets": [{"name", "requests", "failed", "truncated_candidates",
// "rows", "target", "reliability", "warnings"}]}. Ends in a newline.
std::string to_json(const Results& results);

// A Markdown table for each dataset.
std::string to_markdown(const Results& results);

}  // namespace rsd
