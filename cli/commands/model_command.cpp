#include "commands/commands.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include "options/engine_options.h"
#include "options/model_places.h"
#include "rsd/ranker/prompted_llm.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

Result<ExitCode> fetch() {
  const ModelPlaces places = model_places();
  if (const auto base = fetch_base_model(places); !base) return base.error();
  const auto path = default_model(places, DamageCheck::kWhole);
  if (!path) return path.error();
  std::cout << *path << '\n';
  return kSuccess;
}

void print_identifiers(const char* task, const Identifiers& identifiers) {
  constexpr std::size_t kShown = 26;
  std::cout << "identifiers (" << task << "): " << identifiers.size() << ", such as";
  for (std::size_t i = 0; i < std::min(kShown, identifiers.size()); ++i) {
    std::cout << " \"" << identifiers.texts[i] << '"';
  }
  std::cout << '\n';
}

Result<ExitCode> inspect(const EngineFlags& options, const CommonOptions& common) {
  const auto engine = engine_options(options, common);
  if (!engine) return engine.error();
  const auto loaded = load_prompted_local(*engine);
  if (!loaded) return loaded.error();
  const ModelInfo& info = loaded->llm->info();
  std::cout << "path: " << info.path << "\nmodel: " << info.description
            << "\narchitecture: " << info.architecture << "\nparameters: " << info.n_parameters
            << "\nweights: " << info.size_bytes << " bytes\nvocabulary: " << info.n_vocabulary
            << " tokens, " << info.tokenizer << "\ncontext: " << info.context_size
            << " tokens in use, trained for " << info.trained_context
            << "\nchat format: " << info.chat_format << "\noutput head: " << info.output_head
            << "\npartial re-encoding: "
            << (info.keeps_partial_cache ? "yes" : "no, every change encodes the prompt again")
            << "\nprompts in blocks: "
            << (info.why_no_blocks.empty() ? "yes" : "no, " + info.why_no_blocks)
            << "\nprompt layout: "
            << (info.prompt_layout ? to_string(*info.prompt_layout) : "sequence, by default")
            << "\nrelevance: " << (info.relevance ? "read" : "not read, scores are relative")
            << '\n';
  print_identifiers("passage", loaded->prompts.identifiers(Task::kPassage));
  print_identifiers("recommendation", loaded->prompts.identifiers(Task::kRecommendation));
  return kSuccess;
}

}  // namespace

void add_model_command(CLI::App& app, Selected& selected) {
  CLI::App* model = app.add_subcommand("model", "Fetch, verify, prepare and inspect models");
  model->require_subcommand(1);
  model->fallthrough();

  CLI::App* fetching =
      add_command(*model, selected, "fetch",
                  "Bring the default model into the cache and prepare it; prints its path");
  set_run(*fetching, selected, &fetch);

  add_verify_command(*model, selected);
  add_prepare_command(*model, selected);

  auto options = std::make_shared<EngineFlags>();
  CLI::App* inspecting = add_command(*model, selected, "inspect",
                                     "Show what a model is and which identifiers it offers");
  add_engine_options(*inspecting, *options);
  set_run(*inspecting, selected,
          [&selected, options] { return inspect(*options, selected.common); });
}

}  // namespace rsd::cli
