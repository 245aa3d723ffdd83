// Whether the relevance that an LLM reads is the probability that it claims to be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rsd/eval/record.h"
#include "rsd/eval/results.h"

namespace rsd {

// nullopt: no request has both labels and relevance. A candidate is relevant if its grade is
// `relevant_from` or above; an unjudged one isn't, as for the metrics. O(candidates *
// log(candidates)).
std::optional<ReliabilityFigures> reliability_of(const std::vector<RequestRecord>& records,
                                                 int relevant_from = 1);

// "Relevance as a probability, over …: Brier score …".
std::string reliability_sentence(const ReliabilityFigures& reliability);

}  // namespace rsd
