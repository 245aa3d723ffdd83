#include "commands/commands.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/option_checks.h"
#include "options/trec_options.h"
#include "options/window_flags.h"
#include "rsd/jobs/rank_file.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct RankFlags {
  EngineFlags engine;
  DecoderFlags decoder;
  WindowFlags windows;
  RankFileOptions files;  // without the format
  std::string format = "jsonl";
  std::size_t max_text_tokens = kDefaultTextTokens;
};

Result<RankOptions> options_of(const RankFlags& flags) {
  auto options = rank_options(flags.decoder, flags.windows);
  if (!options) return options;
  options->max_text_tokens = flags.max_text_tokens;
  warn_of_unused(flags.decoder);
  return options;
}

ExitCode exit_code_of(const RankFileReport& report) {
  if (report.n_failed == 0) return kSuccess;
  return report.n_answered + report.n_kept == 0 ? kInvalidInput : kSomeFailed;
}

Result<ExitCode> rank(const RankFlags& flags, const CommonOptions& common) {
  const auto options = options_of(flags);
  if (!options) return options.error();
  const auto format = parse_answer_format(flags.format);
  if (!format) return format.error();
  RankFileOptions files = flags.files;
  files.output.format = *format;
  auto engine = engine_options(flags.engine, common);
  if (!engine) return engine.error();
  set_policy(flags.decoder, *engine);
  ProgressBars bars;
  const auto report = rank_file(*std::move(engine), *options, files, bars.seams());
  bars.clear();
  if (!report) return report.error();
  return exit_code_of(*report);
}

void add_output_options(CLI::App& command, RankOutputOptions& options, std::string& format) {
  Flags flags(command, "Output");
  flags.add({"--format", "NAME", "jsonl, trec or table"}, format);
  flags.add({"--tag", "WORD", "The run's name in TREC output"}, options.tag);
  flags.add({"--output", "FILE",
             "File for the answers, which appears when all are there; without it stdout"},
            options.output, not_empty());
  flags.add_switch("--resume", "Go on where an interrupted --output stopped", options.resume);
  flags.add({"--trace", "FILE", "File for every round's proposal and logits"}, options.trace,
            not_empty());
}

}  // namespace

void add_rank_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<RankFlags>();
  CLI::App* command = add_command(app, selected, "rank", "Rank the candidates of each request");
  Flags(*command).add({"--requests", "FILE", "Requests, a JSON object a line; - = stdin"},
                      options->files.requests, not_empty());
  add_trec_options(*command, options->files.trec);
  add_decoder_options(*command, options->decoder);
  Flags(*command, "Decoding")
      .add({"--previous", "FILE",
            "Answers of an earlier run: sd, rsd and exact begin with these rankings, as drafts in "
            "the first encoding"},
           options->files.previous, not_empty());
  add_window_options(*command, options->windows);
  Flags(*command, "Long lists")
      .add({"--max-tokens-per-doc", "N",
            "Tokens of a candidate's text that are read, where the context has room for two such "
            "texts"},
           options->max_text_tokens, whole_number(1, kMaxTextTokens));
  add_engine_options(*command, options->engine);
  options->engine.cache_ram = 16;
  add_cache_option(*command, options->engine);
  auto& cache = *command->get_option("--cache-ram");
  cache.description(cache.get_description() + "; with --rpc the default is 0");
  add_index_option(*command, options->engine);
  add_parallel_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  add_output_options(*command, options->files.output, options->format);
  set_run(*command, selected, [&selected, options, command] {
    settle_parallel(*command, options->engine);
    settle_cache(*command, options->engine);
    return rank(*options, selected.common);
  });
}

}  // namespace rsd::cli
