// Traces: what every round of a decoding proposed and saw (format: docs/formats/trace.md).
//
// The first line of a trace file names the format and its version, each further line is one
// request.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/data/answer.h"
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
  std::string id;  // of the request
  // Of a list that was ranked in windows: its number in the plan, from 1.
  std::optional<std::size_t> window;
  // Of what is asked (rank/split_key.h), so that a training can hold requests out by it. Empty in
  // traces of older versions.
  std::string split_key;
  Task task = Task::kPassage;
  std::string decoder;
  std::size_t n_items = 0;
  std::vector<TraceRound> rounds;
  std::vector<ItemId> ranking;  // the answer
  // The target ranking where more is known of it than the rounds tell.
  std::optional<std::vector<ItemId>> target;
};

// What `part` of the request's answer went through. Its indices are of the part's items.
Trace trace_of(const Request& request, const std::string& decoder, const RankedPart& part);

// One line each, ending in a newline. Logits are written with the digits that give back the same
// float.
std::string format_trace_header(std::string_view model);
std::string format_trace(const Trace& trace);

// One line of a trace file, a request's. kInvalidInput tells the field and what is wrong with it:
// items out of range or repeated, rows of another length than n_items, more rows than items, logits
// that are not finite, accepted positions beyond the proposal. Fields that it does not know are
// passed over.
Result<Trace> parse_trace(std::string_view line);

// A whole file. kNotFound; kInvalidInput names path and line: no trace file, a newer version, a
// line as above, or none.
Result<std::vector<Trace>> read_traces(const std::string& path);

// The LLM that the file's header names; empty where it names none. Errors as above.
Result<std::string> read_trace_model(const std::string& path);

}  // namespace rsd
