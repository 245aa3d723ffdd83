#include "model_command.h"

#include <iostream>

#include "engine_options.h"
#include "exit_code.h"
#include "model_store.h"
#include "prepare_command.h"
#include "prepared_model.h"
#include "verify_command.h"

namespace rsd::cli {
namespace {

int fetch() {
  if (const auto base = fetch_base_model(); !base) return fail(base.error());
  const auto path = default_model(Check::kWhole);
  if (!path) return fail(path.error());
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

int inspect(const EngineOptions& options, const CommonOptions& common) {
  const auto engine = Engine::load(options, common);
  if (!engine) return fail(engine.error());
  const ModelInfo& info = engine->local_llm()->info();
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
            << '\n';
  print_identifiers("passage", engine->prompts().identifiers(Task::kPassage));
  print_identifiers("recommendation", engine->prompts().identifiers(Task::kRecommendation));
  return kSuccess;
}

}  // namespace

void add_model_command(CLI::App& app, Selected& selected) {
  CLI::App* model = app.add_subcommand("model", "Fetch, verify, prepare and inspect models");
  model->require_subcommand(1);
  model->fallthrough();

  add_command(*model, selected, "fetch",
              "Bring the default model into the cache and prepare it; prints its path")
      ->callback([&selected] { selected.run = &fetch; });

  add_verify_command(*model, selected);
  add_prepare_command(*model, selected);

  auto options = std::make_shared<EngineOptions>();
  CLI::App* inspecting = add_command(*model, selected, "inspect",
                                     "Tell what a model is and which identifiers it offers");
  add_engine_options(*inspecting, *options);
  inspecting->callback([&selected, options] {
    selected.run = [&selected, options] { return inspect(*options, selected.common); };
  });
}

}  // namespace rsd::cli
