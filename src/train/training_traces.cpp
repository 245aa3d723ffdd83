#include <set>
#include <string_view>

#include "rsd/agent/agent_policy.h"
#include "rsd/core/file.h"
#include "rsd/trace/trace.h"
#include "rsd/train/collect.h"
#include "train/training_stages.h"

namespace rsd {
namespace {

// Whole requests' traces that an interrupted run left, and the ids of these requests. A request's
// traces are written at once, so only the last one's can be incomplete.
Result<std::string> kept_traces(const TrainingRun& run, std::set<std::string>& ids) {
  const std::string partial = OutputFile::partial_path(run.folder.traces_path());
  auto there = read_file_if_there(partial);
  if (!there) return there.error();
  std::string text = std::move(*there).value_or("");
  std::size_t n_lines = 0;  // the header is one
  std::size_t begin = 0;
  std::size_t kept = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos;
       begin = end + 1, end = text.find('\n', begin)) {
    if (n_lines++ % run.options.decodings != 0) continue;
    kept = end + 1;
    if (n_lines == 1) continue;
    const auto trace = parse_trace(std::string_view(text).substr(begin, end - begin));
    if (!trace) return trace.error().within(partial + ":" + std::to_string(n_lines));
    ids.insert(trace->id);
  }
  text.resize(kept);
  return text;
}

Result<std::string> traces_of(const TrainingRun& run, const Request& request,
                              const CollectOptions& options) {
  auto scorer = run.llm.open(request);
  if (!scorer) return scorer.error();
  const auto traces = collect(request, **scorer, options);
  if (!traces) return traces.error().within("request \"" + request.id + "\"");
  std::string lines;
  for (const Trace& trace : *traces)
    lines += format_trace(trace);
  return lines;
}

}  // namespace

Result<void> collect_traces(const TrainingRun& run, const RelevanceNetwork& agent) {
  if (!is_missing(run.folder.traces_path())) return {};
  std::set<std::string> kept_ids;
  auto kept = kept_traces(run, kept_ids);
  if (!kept) return kept.error();
  if (kept->empty()) *kept = format_trace_header(run.llm.model_name());
  auto output = OutputFile::open(run.folder.traces_path(), *kept);
  if (!output) return output.error();
  const CollectOptions collecting{
      .n_decodings = run.options.decodings,
      .budget = run.options.budget,
      .seed = run.options.seed,
      .agent = run.options.init.empty() ? nullptr : agent_policy(agent)};
  for (std::size_t n = 0; n < run.requests.size(); ++n) {
    run.show({.stage = TrainingStage::kTraces, .done = n, .total = run.requests.size()});
    if (kept_ids.contains(run.requests[n].id)) continue;
    const auto lines = traces_of(run, run.requests[n], collecting);
    if (!lines) return lines.error();
    if (auto written = output->write(*lines); !written) return written;
  }
  return output->commit();
}

}  // namespace rsd
