#include "commands/commands.h"

#include <iostream>
#include <memory>
#include <string>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "rsd/jobs/bench_files.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct BenchFlags {
  EngineFlags engine;
  DecoderFlags decoder;   // its policy and agent
  BenchFilesOptions job;  // without them
};

Result<ExitCode> bench(const BenchFlags& flags, const Selected& selected) {
  BenchFilesOptions job = flags.job;
  job.policies = policy_names(flags.decoder);
  job.command_line = selected.command_line;
  const auto engine = engine_options(flags.engine, selected.common);
  if (!engine) return engine.error();
  ProgressBars bars;
  const auto benched = bench_files(*engine, job, bars.seams());
  bars.clear();
  if (!benched) return benched.error();
  if (benched->table.empty()) return kInvalidInput;
  std::cout << benched->table;
  return benched->n_failed > 0 ? kSomeFailed : kSuccess;
}

}  // namespace

void add_bench_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<BenchFlags>();
  CLI::App* command = add_command(app, selected, "bench",
                                  "Time the decoders on request files, side by side, and beside "
                                  "generating the ranking as text");
  Flags flags(*command);
  flags
      .add({"--requests", "FILE...", "Request files, a JSON object a line"}, options->job.requests,
           not_empty())
      .required();
  flags.add({"--out", "DIR", "Folder for bench.json and table.md"}, options->job.out, not_empty())
      .required();
  flags.add({"--limit", "N", "Only the first N requests of each file"}, options->job.limit,
            whole_number(1, kMaxCount));
  flags.add({"--shipped-model", "FILE",
             "GGUF model that generates its ranking as text, in place of the one that the default "
             "model is made of; with --model there is none without it"},
            options->job.shipped_model, not_empty());
  flags.add({"--policy", "NAME", "Policy of rsd and exact; see rsd rank --help"},
            options->decoder.policy);
  flags.add({"--agent", "FILE", std::string(kAgentHelp)}, options->decoder.agent, not_empty());
  add_engine_options(*command, options->engine);
  add_index_option(*command, options->engine);
  set_run(*command, selected, [&selected, options] { return bench(*options, selected); });
}

}  // namespace rsd::cli
