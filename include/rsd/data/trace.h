// Traces: the proposal and the logits of every round of a decoding (format: docs/formats/trace.md).
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
  std::vector<ItemId> proposal;  // the encoded proposal; empty for the prompt alone
  std::size_t accepted = 0;      // length of the accepted prefix
  std::vector<ItemId> known;     // the known prefix after the round
  std::size_t n_rows = 0;
  std::vector<float> logits;  // [n_rows, n_items], row-major
};

struct Trace {
  std::string id;  // the request's id
  // For a list ranked in windows: the window's number in the plan, from 1.
  std::optional<std::size_t> window;
  // The digest of query or user (rank/split_key.h) by which a training holds requests out. Empty in
  // traces of older versions.
  std::string split_key;
  Task task = Task::kPassage;
  std::string decoder;
  std::size_t n_items = 0;
  std::vector<TraceRound> rounds;
  std::vector<ItemId> ranking;  // the answer
  // The target ranking, if more of it is known than the last round's prefix.
  std::optional<std::vector<ItemId>> target;
};

// What `part` of the request's answer went through. Its indices are those of the part's items.
Trace trace_of(const Request& request, const std::string& decoder, const RankedPart& part);

// Each returns one line, ending in a newline. Logits have as many digits as needed to read back the
// same float.
std::string format_trace_header(std::string_view model);
std::string format_trace(const Trace& trace);

// Parses the line of one request. kInvalidInput names the field and the fault: items out of range
// or repeated, rows whose length isn't n_items, more rows than items, logits that are not finite,
// accepted positions beyond the proposal. Unknown fields are ignored.
Result<Trace> parse_trace(std::string_view line);

// Reads a whole file. kNotFound; kInvalidInput names path and line: not a trace file, a newer
// version, a bad line as above, or no traces.
Result<std::vector<Trace>> read_traces(const std::string& path);

// The LLM named in the file's header; empty if it names none. Errors as above.
Result<std::string> read_trace_model(const std::string& path);

}  // namespace rsd
