#include "commands/prompt_command.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "options/engine_options.h"
#include "options/option_checks.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/resumable_output.h"
#include "rsd/rank/presentation.h"
#include "rsd/window/list_request.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

struct RenderOptions {
  EngineFlags engine;
  std::string requests;
  std::string format = "jsonl";
  std::optional<std::size_t> limit;
};

std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string text;
  for (const TokenId token : tokens)
    text += tokenizer.piece(token);
  return text;
}

// What the LLM reads of a request: all of it, or where it goes in windows the first one, in the
// order that the list has.
struct Rendered {
  Request request;  // its candidates, as they are shown
  Prompt prompt;
  std::optional<WindowOptions> windows;
};

Result<Rendered> rendered(const Request& whole, const LlmEngine& llm,
                          const PromptBuilder& prompts) {
  const Request request = without_blank_candidates(whole);
  const std::size_t context = llm.context_size();
  const auto made = ListRequest::create(
      request, {},
      {.builder = prompts,
       .context_tokens = context,
       .max_items = std::min(llm.max_items(), prompts.identifiers(request.task).size())},
      Clock::now());
  if (!made) return made.error();
  const ListRequest& list = **made;
  Rendered result{.request = list.shown(), .prompt = {}, .windows = std::nullopt};
  if (list.in_windows()) {
    result.windows = list.options().windows;
    result.request = presented(list.shown(), list.order().items().first(result.windows->size));
  }
  auto prompt = prompts.build(result.request, context);
  if (!prompt) return prompt.error();
  result.prompt = *std::move(prompt);
  result.prompt.truncated_candidates += list.truncated_candidates();
  result.prompt.truncated_query = list.truncated_query();
  if (!result.prompt.text_limit) result.prompt.text_limit = list.text_limit();
  return result;
}

std::string_view name_of(BlockKind kind) {
  switch (kind) {
    case BlockKind::kHead:
      return "head";
    case BlockKind::kCandidate:
      return "candidate";
    case BlockKind::kQuery:
      return "query";
    case BlockKind::kIdentifier:
      return "identifier";
    case BlockKind::kTail:
      return "tail";
  }
  return "";
}

nlohmann::ordered_json blocks_json(const Rendered& shown) {
  auto blocks = nlohmann::ordered_json::array();
  for (const PromptBlock& block : shown.prompt.blocks) {
    nlohmann::ordered_json entry{{"kind", std::string(name_of(block.kind))},
                                 {"first", block.first},
                                 {"tokens", block.n_tokens},
                                 {"position", block.position}};
    if (block.kind == BlockKind::kCandidate || block.kind == BlockKind::kIdentifier)
      entry["candidate"] = shown.request.candidates[block.item.slot()].id;
    blocks.push_back(std::move(entry));
  }
  return blocks;
}

std::string as_json(const Rendered& shown, const Tokenizer& tokenizer) {
  const auto& [request, prompt, windows] = shown;
  using Json = nlohmann::ordered_json;
  Json tokens = Json::array();
  for (const TokenId token : prompt.tokens)
    tokens.push_back(token.value());
  Json identifiers = Json::array();
  for (std::size_t i = 0; i < prompt.identifiers.size(); ++i) {
    const TokenId token(prompt.identifiers[i].value());
    identifiers.push_back(Json{{"candidate", request.candidates[i].id},
                               {"text", tokenizer.piece(token)},
                               {"token", token.value()}});
  }
  Json line{{"id", request.id},
            {"prompt", text_of(tokenizer, prompt.tokens)},
            {"tokens", std::move(tokens)},
            {"identifiers", std::move(identifiers)},
            {"truncated_candidates", prompt.truncated_candidates},
            {"truncated_query", prompt.truncated_query},
            {"text_limit", prompt.text_limit ? Json(*prompt.text_limit) : Json(nullptr)}};
  if (!prompt.blocks.empty()) line["blocks"] = blocks_json(shown);
  if (windows) {
    line["windows"] = {{"size", windows->size},
                       {"method", std::string(to_string(windows->method))}};
  }
  // A text that was cut may end in the middle of a character.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_text(const Rendered& shown, const Tokenizer& tokenizer) {
  const auto& [request, prompt, windows] = shown;
  const std::string part = windows ? ", the first of the list's windows" : "";
  return "=== " + request.id + ": " + std::to_string(prompt.tokens.size()) + " tokens, " +
         std::to_string(prompt.identifiers.size()) + " candidates, " +
         std::to_string(prompt.truncated_candidates) + " cut" + part + "\n" +
         text_of(tokenizer, prompt.tokens) + "\n";
}

int render(const RenderOptions& options, const CommonOptions& common) {
  const auto requests = read_requests(options.requests, options.limit);
  if (!requests) return fail(requests.error());
  const auto engine = engine_options(options.engine, common);
  if (!engine) return fail(engine.error());
  const auto llm = load_engine(*engine);
  if (!llm) return fail(llm.error());
  auto templates = load_templates(engine->prompt_templates);
  if (!templates) return fail(templates.error());
  const auto prompts = make_prompts(**llm, *std::move(templates));
  if (!prompts) return fail(prompts.error());
  auto output = OutputFile::open("");
  if (!output) return fail(output.error());
  const auto tokenizer = (*llm)->tokenizer();
  for (const auto& request : *requests) {
    const auto shown = rendered(request, **llm, *prompts);
    if (!shown)
      return fail(shown.error().within(options.requests + ": request \"" + request.id + "\""));
    const std::string text =
        options.format == "jsonl" ? as_json(*shown, *tokenizer) : as_text(*shown, *tokenizer);
    if (auto written = output->write(text); !written) return fail(written.error());
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
  command->add_option("--requests", options->requests, "Requests, a JSON object a line; - = stdin")
      ->required()
      ->check(not_empty())
      ->type_name("FILE");
  command->add_option("--limit", options->limit, "Only the first N requests")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command->add_option("--format", options->format, "jsonl, or text for reading")
      ->check(one_of({"jsonl", "text"}))
      ->capture_default_str()
      ->type_name("NAME");
  add_engine_options(*command, options->engine);
  command->callback([&selected, options] {
    selected.run = [&selected, options] { return render(*options, selected.common); };
  });
}

}  // namespace rsd::cli
