#include "commands/commands.h"

#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/jobs/evaluate_files.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct EvalFlags {
  EngineFlags engine;
  // Without decoders and drafts.
  EvaluateFilesOptions job{.budgets = {1, 2, 3, 4}, .order_shuffles = 2};
  std::vector<std::string> decoders{"ar", "std", "sd", "exact", "rsd"};
  std::vector<std::string> drafts;  // none = each decoder's default
};

// Looks up each name and appends it to `values`.
template <class Value, class Lookup>
Result<void> look_up(const std::vector<std::string>& names, Lookup lookup,
                     std::vector<Value>& values) {
  for (const auto& name : names) {
    const auto value = lookup(name);
    if (!value) return value.error();
    values.push_back(*value);
  }
  return {};
}

Result<EvaluateFilesOptions> job_of(const EvalFlags& flags, const Selected& selected) {
  EvaluateFilesOptions job = flags.job;
  job.policies.places = model_places();
  job.command_line = selected.command_line;
  if (auto done = look_up(flags.decoders, parse_decoder, job.decoders); !done) return done.error();
  if (flags.drafts.empty()) return job;
  job.drafts.clear();
  if (auto done = look_up(flags.drafts, parse_draft, job.drafts); !done) return done.error();
  return job;
}

Result<ExitCode> evaluate(const EvalFlags& flags, const Selected& selected) {
  const auto job = job_of(flags, selected);
  if (!job) return job.error();
  auto engine = engine_options(flags.engine, selected.common);
  if (!engine) return engine.error();
  ProgressBars bars;
  const auto evaluated = evaluate_files(*std::move(engine), *job, bars.seams());
  bars.clear();
  if (!evaluated) return evaluated.error();
  if (evaluated->n_files == 0) return kInvalidInput;
  std::cout << job->out << "/report.html\n";
  return evaluated->n_failed > 0 ? kSomeFailed : kSuccess;
}

void add_options(CLI::App& command, EvaluateFilesOptions& options) {
  Flags flags(command);
  flags
      .add({"--requests", "FILE...", "Request files, a JSON object a line"}, options.requests,
           not_empty())
      .required();
  flags
      .add({"--out", "DIR", "Folder for results.json, table.md, report.html"}, options.out,
           not_empty())
      .required();
  flags.add({"--qrels", "FILE", "TREC judgements in place of the requests' own"}, options.qrels,
            not_empty());
  flags.add(
      {"--relevant-from", "GRADE",
       "The least grade that counts as relevant where probabilities of relevance are compared with "
       "judgements; 2 for TREC's passages"},
      options.relevant_from, whole_number(1, 1000));
  flags.add({"--limit", "N", "Only the first N requests of each file"}, options.limit,
            whole_number(1, kMaxCount));
  flags.add({"--shuffle", "SEED", "Shuffle the candidates of each request, by this seed"},
            options.shuffle, whole_number(0, std::numeric_limits<std::uint64_t>::max()));
  flags
      .add({"--order-shuffles", "K",
            "On how many shuffled orders of each request ar is run, to see whether they agree; "
            "0 = none"},
           options.order_shuffles, whole_number(0, kMaxCount))
      .check([](const std::string& text) {
        return text == "1" ? std::string("1 is not allowed: one order has none to agree with") : "";
      });
  flags.add_switch("--resume", "Go on where an interrupted run into --out stopped", options.resume);
}

void add_grid_options(CLI::App& command, EvalFlags& options) {
  Flags flags(command, "Decoding");
  flags.add_list(
      {"--decoders", "LIST", "Which, among ar, std, sd, exact, rsd; ar is always the target"},
      options.decoders);
  flags.add_list({"--budgets", "LIST", "Encodings for rsd and sd (which also runs to the end)"},
                 options.job.budgets, whole_number(1, kMaxCount));
  flags.add_list({"--policy,--policies", "LIST", "Policies for rsd and exact; see rsd rank --help"},
                 options.job.policies.names);
  flags.add_repeated({"--agent", "FILE",
                      std::string(kAgentHelp) + "; may be given several times, to compare them"},
                     options.job.policies.agents, not_empty());
  flags.add_list(
      {"--draft", "LIST", "Which, among first-token, input; without it each decoder's default"},
      options.drafts);
}

}  // namespace

void add_eval_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<EvalFlags>();
  CLI::App* command = add_command(app, selected, "eval",
                                  "Compare decoders on request files: agreement, encodings, time");
  add_options(*command, options->job);
  add_grid_options(*command, *options);
  add_engine_options(*command, options->engine);
  add_index_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  set_run(*command, selected, [&selected, options] { return evaluate(*options, selected); });
}

}  // namespace rsd::cli
