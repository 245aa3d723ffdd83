#include "commands/commands.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands/rank_input.h"
#include "commands/rank_output.h"
#include "commands/rank_run.h"
#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/trec_options.h"
#include "options/window_flags.h"
#include "rsd/data/answer_reader.h"
#include "rsd/ranker/conditions.h"
#include "rsd/ranker/ranker.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxTextTokens = 1'000'000'000;

struct RankFlags {
  EngineFlags engine;
  DecoderFlags decoder;
  WindowFlags windows;
  std::string requests;
  TrecFiles trec;  // in their place
  std::string previous;
  OutputFlags output;
  std::size_t max_text_tokens = kDefaultTextTokens;
};

std::vector<std::string> inputs_of(const RankFlags& flags) {
  std::vector<std::string> paths{flags.requests, flags.trec.run, flags.trec.topics};
  paths.insert(paths.end(), flags.trec.corpus.begin(), flags.trec.corpus.end());
  return paths;
}

Result<RankOptions> options_of(const RankFlags& flags) {
  auto options = rank_options(flags.decoder, flags.windows);
  if (!options) return options;
  options->max_text_tokens = flags.max_text_tokens;
  options->keep_rounds = !flags.output.trace.empty();
  warn_of_unused(flags.decoder);
  return options;
}

// With the model that a remote engine serves.
Result<EngineOptions> engine_of(const RankFlags& flags, const CommonOptions& common) {
  auto engine = engine_options(flags.engine, common);
  if (!engine) return engine;
  set_policy(flags.decoder, *engine);
  return with_served_model(*std::move(engine));
}

Result<std::optional<PreviousAnswers>> previous_of(const RankFlags& flags) {
  if (flags.previous.empty()) return std::optional<PreviousAnswers>();
  auto previous = PreviousAnswers::read(flags.previous);
  if (!previous) return previous.error();
  return std::optional(*std::move(previous));
}

Result<Conditions> conditions_of(const RankFlags& flags, const EngineOptions& engine,
                                 const RankOptions& options) {
  auto conditions = ranking_conditions(engine, options);
  if (conditions && !flags.previous.empty())
    (*conditions)["previous"] = identity_of(flags.previous);
  return conditions;
}

Result<Ranker> load(const EngineOptions& engine, const RankOptions& options) {
  report_lost_rpc_servers(engine.rpc_servers);
  auto ranker = Ranker::load(engine);
  if (!ranker || !options.deadline) return ranker;
  if (auto done = ranker->calibrate(); !done) return done.error();
  return ranker;
}

// Everything that can be wrong is found before the model is loaded, the model before any output.
Result<ExitCode> rank(const RankFlags& flags, const CommonOptions& common) {
  const auto options = options_of(flags);
  if (!options) return options.error();
  auto output = RankOutput::plan(flags.output, inputs_of(flags));
  if (!output) return output.error();
  const auto engine = engine_of(flags, common);
  if (!engine) return engine.error();
  auto input = RankInput::open(flags.requests, flags.trec, candidate_texts(*engine));
  if (!input) return input.error();
  const auto previous = previous_of(flags);
  if (!previous) return previous.error();
  const auto conditions = conditions_of(flags, *engine, *options);
  if (!conditions) return conditions.error();
  if (auto read = output->read_kept(*conditions); !read) return read.error();
  auto ranker = load(*engine, *options);
  if (!ranker) return ranker.error();
  if (auto opened = output->open(*conditions, ranker->llm().model_name()); !opened)
    return opened.error();
  return RankRun({.ranker = *ranker,
                  .input = *input,
                  .output = *output,
                  .options = *options,
                  .previous = *previous})
      .run();
}

void add_output_options(CLI::App& command, OutputFlags& options) {
  Flags flags(command, "Output");
  flags.add({"--format", "NAME", "jsonl, trec or table"}, options.format);
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
                      options->requests, not_empty());
  add_trec_options(*command, options->trec);
  add_decoder_options(*command, options->decoder);
  Flags(*command, "Decoding")
      .add({"--previous", "FILE",
            "Answers of an earlier run: sd, rsd and exact begin with these rankings, as drafts in "
            "the first encoding"},
           options->previous, not_empty());
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
  cache.description(cache.get_description() + ", which is the default with --rpc");
  add_index_option(*command, options->engine);
  add_parallel_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  add_output_options(*command, options->output);
  set_run(*command, selected, [&selected, options, command] {
    settle_parallel(*command, options->engine);
    settle_cache(*command, options->engine);
    return rank(*options, selected.common);
  });
}

}  // namespace rsd::cli
