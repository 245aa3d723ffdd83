// A trace file: its header, and a request in each further line.
#include <string>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/trace/trace.h"

namespace rsd::fuzz {
namespace {

void require_round_trip(const Trace& trace) {
  require(trace.ranking.size() == trace.history.n_items(), "the answer ranks all items");
  const std::string line = format_trace(trace);
  const auto again = parse_trace(line);
  require(is_value(again), "a trace that was written can be read");
  require(format_trace(*again) == line, "a trace is written as it was read");
}

}  // namespace

void take_input(std::string_view input) {
  const MemoryFile file(input);
  (void)is_value(read_trace_model(file.path()));
  const auto traces = read_traces(file.path());
  if (!is_value(traces)) return;
  for (const Trace& trace : *traces)
    require_round_trip(trace);
}

}  // namespace rsd::fuzz
