// Traces: what every round of a decoding proposed and saw (format: docs/formats/trace.md).
//
// The first line of a trace file names the format and its version, each further line is one
// request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/rank/request.h"

namespace rsd {

inline constexpr std::string_view kTraceFormat = "rsd.trace";
inline constexpr int kTraceVersion = 1;

struct TraceRound {
  std::vector<ItemId> proposal;  // as encoded: empty for the prompt alone
  std::size_t accepted = 0;      // leading positions at which the LLM agrees
  std::vector<ItemId> known;     // the prefix of the target ranking that is known after the round
  std::size_t n_rows = 0;
  std::vector<float> logits;  // [n_rows, n_items], row-major
};

struct Trace {
  std::string id;
  Task task = Task::kPassage;
  std::string decoder;
  std::size_t n_items = 0;
  std::vector<TraceRound> rounds;
  std::vector<ItemId> ranking;  // the answer
};

// One line each, ending in a newline. Logits are written with the digits that give back the same
// float.
std::string format_trace_header(std::string_view model);
std::string format_trace(const Trace& trace);

}  // namespace rsd
