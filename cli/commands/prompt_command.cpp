#include "commands/commands.h"

#include <memory>
#include <optional>
#include <string>

#include "options/engine_options.h"
#include "options/flags.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/resumable_output.h"
#include "rsd/ranker/prompted_llm.h"
#include "rsd/ranker/rendered_prompt.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

struct RenderOptions {
  EngineFlags engine;
  std::string requests;
  std::string format = "jsonl";
  std::optional<std::size_t> limit;
};

Result<ExitCode> render(const RenderOptions& options, const CommonOptions& common) {
  const auto requests = read_requests(options.requests, options.limit);
  if (!requests) return requests.error();
  const auto engine = engine_options(options.engine, common);
  if (!engine) return engine.error();
  const auto loaded = load_prompted(*engine);
  if (!loaded) return loaded.error();
  auto output = OutputFile::open("");
  if (!output) return output.error();
  const auto tokenizer = loaded->llm->tokenizer();
  for (const auto& request : *requests) {
    const auto shown = render_prompt(request, loaded->prompts, *loaded->llm);
    if (!shown) return shown.error().within(options.requests + ": request \"" + request.id + "\"");
    const std::string text = options.format == "jsonl" ? format_prompt_json(*shown, *tokenizer)
                                                       : format_prompt_text(*shown, *tokenizer);
    if (auto written = output->write(text); !written) return written.error();
  }
  return kSuccess;
}

}  // namespace

void add_prompt_command(CLI::App& app, Selected& selected) {
  CLI::App* prompt = app.add_subcommand("prompt", "Look at prompts");
  prompt->require_subcommand(1);
  prompt->fallthrough();
  auto options = std::make_shared<RenderOptions>();
  CLI::App* command =
      add_command(*prompt, selected, "render",
                  "Print the exact prompt of each request, its tokens, its identifiers");
  Flags flags(*command);
  flags
      .add({"--requests", "FILE", "Requests, a JSON object a line; - = stdin"}, options->requests,
           not_empty())
      .required();
  flags.add({"--limit", "N", "Only the first N requests"}, options->limit,
            whole_number(1, kMaxCount));
  flags.add({"--format", "NAME", "jsonl, or text for reading"}, options->format,
            one_of({"jsonl", "text"}));
  add_engine_options(*command, options->engine);
  set_run(*command, selected, [&selected, options] { return render(*options, selected.common); });
}

}  // namespace rsd::cli
