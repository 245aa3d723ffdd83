#include "commands/commands.h"

#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "options/engine_options.h"
#include "options/flags.h"
#include "options/option_checks.h"
#include "rsd/ranker/index_corpus.h"
#include "rsd/ranker/prompted_llm.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct IndexFlags {
  EngineFlags engine;
  std::vector<std::string> corpus;
  std::string out;
  std::string task = "passage";
  std::string type = std::string(to_string(BlockType::kF16));
  std::size_t max_text_tokens = kDefaultTextTokens;
};

// "1.2 KiB"
std::string shown_bytes(double bytes) {
  const std::vector<const char*> units{"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit)
    bytes /= 1024;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

void show(const CommonOptions& common, const IndexEstimate& estimate) {
  const auto n_blocks = static_cast<double>(estimate.n_blocks);
  const auto size = static_cast<double>(estimate.size_bytes);
  print_note(
      common,
      fmt::format("{} candidates, {} blocks of {:.1f} tokens on average: {} a block, {} in all",
                  estimate.n_candidates, estimate.n_blocks,
                  static_cast<double>(estimate.n_tokens) / n_blocks, shown_bytes(size / n_blocks),
                  shown_bytes(size)));
  if (estimate.n_cut > 0)
    print_note(common, fmt::format("{} {} too long, and cut", estimate.n_cut,
                                   estimate.n_cut == 1 ? "text is" : "texts are"));
  if (estimate.n_kept > 0)
    print_note(common, fmt::format("{} candidates are there already", estimate.n_kept));
}

Result<IndexOptions> options_of(const IndexFlags& flags, const CommonOptions& common,
                                ProgressBars& bars) {
  const auto type = parse_block_type(flags.type);
  if (!type) return type.error().within("--type");
  return IndexOptions{
      .corpus = flags.corpus,
      .folder = flags.out,
      .task = flags.task == "passage" ? Task::kPassage : Task::kRecommendation,
      .type = *type,
      .max_text_tokens = flags.max_text_tokens,
      .on_estimate = [&common](const IndexEstimate& estimate) { show(common, estimate); },
      .on_progress = bars.on_progress("candidates")};
}

Result<IndexSummary> write_index(const IndexFlags& flags, const CommonOptions& common) {
  ProgressBars bars;
  const auto options = options_of(flags, common, bars);
  if (!options) return options.error();
  const auto engine = engine_options(flags.engine, common);
  if (!engine) return engine.error();
  const auto loaded = load_prompted_local(*engine);
  if (!loaded) return loaded.error();
  return index_corpus(*loaded->llm, loaded->prompts, *options);
}

Result<ExitCode> run(const IndexFlags& flags, const CommonOptions& common) {
  const auto made = write_index(flags, common);
  if (!made) return made.error();
  const std::string size = shown_bytes(static_cast<double>(made->index.size_bytes));
  print_note(common,
             made->index.path + (made->was_there ? " is there already: " : " is written: ") + size);
  std::cout << made->index.path << '\n';
  return kSuccess;
}

void add_options(CLI::App& command, IndexFlags& options) {
  Flags flags(command);
  flags
      .add({"--corpus", "FILE...",
            "Lines of docid<tab>text[<tab>title], or JSON (_id, docno, … and title, text, …)"},
           options.corpus, not_empty())
      .required();
  flags
      .add({"--out", "DIR",
            "Folder for the index; where an earlier run was interrupted, this one goes on"},
           options.out, not_empty())
      .required();
  flags.add({"--task", "NAME", "Whose prompts the candidates are for: passage or recommendation"},
            options.task, one_of({"passage", "recommendation"}));
  flags.add({"--type", "NAME",
             "How blocks are stored: f16, or q8_0, which takes half as much and is rounded"},
            options.type, one_of({"f16", "q8_0"}));
  flags.add({"--max-tokens-per-doc", "N",
             "Tokens of a text that are read; as in the rankings that use the index"},
            options.max_text_tokens, whole_number(1, kMaxTextTokens));
}

}  // namespace

void add_index_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<IndexFlags>();
  CLI::App* command =
      add_command(app, selected, "index",
                  "Encode the candidates of a corpus once, for models that take prompts in blocks");
  add_options(*command, *options);
  add_engine_options(*command, options->engine);
  options->engine.cache_ram = 16;  // the head's
  set_run(*command, selected, [&selected, options] { return run(*options, selected.common); });
}

}  // namespace rsd::cli
