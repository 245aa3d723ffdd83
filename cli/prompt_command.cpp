#include "prompt_command.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine_options.h"
#include "exit_code.h"
#include "option_checks.h"
#include "output_file.h"
#include "rsd/data/request_reader.h"
#include "rsd/rank/presentation.h"

namespace rsd::cli {
namespace {

struct RenderOptions {
  EngineOptions engine;
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

std::string as_json(const Request& request, const Prompt& prompt, const Tokenizer& tokenizer) {
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
  const Json line{{"id", request.id},
                  {"prompt", text_of(tokenizer, prompt.tokens)},
                  {"tokens", std::move(tokens)},
                  {"identifiers", std::move(identifiers)},
                  {"truncated_candidates", prompt.truncated_candidates},
                  {"truncated_query", prompt.truncated_query},
                  {"text_limit", prompt.text_limit ? Json(*prompt.text_limit) : Json(nullptr)}};
  // A text that was cut may end in the middle of a character.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_text(const Request& request, const Prompt& prompt, const Tokenizer& tokenizer) {
  return "=== " + request.id + ": " + std::to_string(prompt.tokens.size()) + " tokens, " +
         std::to_string(prompt.identifiers.size()) + " candidates, " +
         std::to_string(prompt.truncated_candidates) + " cut\n" +
         text_of(tokenizer, prompt.tokens) + "\n";
}

int render(const RenderOptions& options, const CommonOptions& common) {
  const auto requests = read_requests(options.requests, options.limit);
  if (!requests) return fail(requests.error());
  const auto engine = Engine::load(options.engine, common);
  if (!engine) return fail(engine.error());
  auto output = OutputFile::open("");
  if (!output) return fail(output.error());
  const auto tokenizer = engine->llm().tokenizer();
  for (const auto& read : *requests) {
    const Request request = without_blank_candidates(read);
    const auto prompt = engine->prompts().build(request, engine->llm().context_size());
    if (!prompt)
      return fail(prompt.error().within(options.requests + ": request \"" + request.id + "\""));
    const std::string text = options.format == "jsonl" ? as_json(request, *prompt, *tokenizer)
                                                       : as_text(request, *prompt, *tokenizer);
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
