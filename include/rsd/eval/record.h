// The measurements of one request, from which every figure of a report can be computed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/run.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// The first position at which `exact` differs from the step-by-step target ranking. Both saw the
// same prefix there; the batch shapes of their encodings differ, and with them the rounding.
struct Difference {
  Position position;
  double margin = 0;  // ar's logit of ar's choice minus ar's logit of exact's; at least 0
};

// One decoding. Items are indices into the candidates in presented order.
struct Measurement {
  Ranking ranking;
  std::size_t encodings = 0;
  std::size_t tokens_encoded = 0;
  std::size_t verified_prefix = 0;
  Outcome::Timing timing;
  std::optional<Difference> difference;  // of exact, if it differs from ar
};

// The relevance labels of the request, arranged for the metrics (rank/relevance_metrics.h).
struct Labels {
  std::vector<std::optional<int>> grades;  // by item, in presented order; nullopt = unjudged
  std::vector<int> judged;                 // all judged items, candidates or not
};

struct RequestRecord {
  std::string id;
  std::string digest;              // digest of the request's texts and labels
  std::vector<std::size_t> order;  // presented item i is the file's candidate order[i]
  std::optional<Labels> labels;    // nullopt when nothing is judged
  std::size_t truncated_candidates = 0;
  // By item, the log-odds that it is relevant; empty: the LLM doesn't read relevance.
  std::vector<float> relevance{};
  std::vector<Measurement> measurements;  // one per setting, ar's first
  // ar's rankings for other presentation orders; items as in `order`.
  std::vector<Ranking> reordered;
};

struct FailedRequest {
  std::string id;
  Error error;
};

}  // namespace rsd
