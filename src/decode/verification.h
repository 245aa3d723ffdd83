// Chooses the number of positions of a proposal to verify in one encoding.
#pragma once

#include <cstddef>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/history.h"

namespace rsd {

// The probability that the LLM accepts the next position of a proposal, estimated from the share of
// positions accepted in earlier rounds and a prior measured on the default model
// (docs/measurements.md).
double acceptance_probability(const History& history);

// The end of the rows to verify out of `rows` (from History::missing_rows): it maximises the
// expected number of positions that become known per millisecond. The first position becomes known
// for certain, the n-th with the probability that the n - 1 before it are accepted. So single
// positions are verified where costs grow with the tokens and proposals are poor, and whole lists
// where an encoding costs much the same for any number of tokens, as on GPUs. Returns rows.end
// while no costs are known, and a single position if no encoding of one was observed.
std::size_t verified_rows_end(const History& history, RowRange rows, const CostModel& costs);

}  // namespace rsd
