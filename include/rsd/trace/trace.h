// Traces: the history of a decoding, with its answer (format: docs/formats/trace.md).
//
// The first line of a trace file names the format and its version, each further line is one
// request, or one window of a list.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/history.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"

namespace rsd {

inline constexpr std::string_view kTraceFormat = "rsd.trace";
inline constexpr int kTraceVersion = 1;

struct Trace {
  std::string id;  // the request's id
  // For a list ranked in windows: the window's number in the plan, from 1.
  std::optional<std::size_t> window{};
  // The digest of query or user (rank/split_key.h) by which a training holds requests out. Empty in
  // traces of older versions.
  std::string split_key{};
  Task task = Task::kPassage;
  std::string decoder;
  History history;  // of the items of the prompt; keeps the rows of every round
  Ranking ranking;  // the answer
  // The target ranking, if more of it is known than the history's prefix.
  std::optional<Ranking> target{};
};

// The trace of a decoding of the request's prompt, or of a window of it. `history` has all rows
// (kEveryRound), and as many items as `ranking`.
Trace trace_of(const Request& request, std::string decoder, History history, Ranking ranking);

// Each returns one line, ending in a newline. Logits have as many digits as needed to read back the
// same float. LogicError if rows of the history were forgotten.
std::string format_trace_header(std::string_view model);
std::string format_trace(const Trace& trace);

// Parses the line of one request. What a round accepted and made known follows from its logits; the
// recorded values only have to be in range. kInvalidInput names the field and the fault: items out
// of range or repeated, rows whose length isn't n_items, more rows than items, logits that are not
// finite, accepted positions after the proposal's end, a proposal without the known prefix, a round
// without a new row. Unknown fields are ignored.
Result<Trace> parse_trace(std::string_view line);

// Reads a whole file. kNotFound; kInvalidInput names path and line: not a trace file, a newer
// version, a bad line as above, or no traces.
Result<std::vector<Trace>> read_traces(const std::string& path);

// The LLM named in the file's header; empty if it names none. Errors as above.
Result<std::string> read_trace_model(const std::string& path);

}  // namespace rsd
