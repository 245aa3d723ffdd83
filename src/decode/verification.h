// How many positions of a proposal to verify at a time.
#pragma once

#include <cstddef>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/history.h"

namespace rsd {

// The probability that the LLM accepts the next position of a proposal, as far as the rounds so far
// tell: their accepted share, together with a prior from the LLM as the default model is
// (docs/measurements.md).
double acceptance_probability(const History& history);

// Where to end the rows of an encoding that may verify `rows` (as History::missing_rows named
// them): where the positions that are expected to become known are the most per millisecond. One
// becomes known for certain, the n-th with the probability that the n - 1 before it are accepted.
// So single positions are verified where an encoding costs so much per token and proposals are
// poor, whole lists where it costs much the same for any number, as on GPUs; rows.end where nothing
// is known of the costs yet, one position where none has been seen alone.
std::size_t verified_rows_end(const History& history, RowRange rows, const CostModel& costs);

}  // namespace rsd
