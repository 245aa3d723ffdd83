#include "rsd/ranker/rendered_prompt.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/rank/presentation.h"
#include "rsd/window/list_request.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string text;
  for (const TokenId token : tokens)
    text += tokenizer.piece(token);
  return text;
}

Json json_of_identifiers(const RenderedPrompt& rendered, const Tokenizer& tokenizer) {
  Json identifiers = Json::array();
  for (std::size_t i = 0; i < rendered.prompt.identifiers.size(); ++i) {
    const TokenId token(rendered.prompt.identifiers[i].value());
    identifiers.push_back(Json{{"candidate", rendered.request.candidates[i].id},
                               {"text", tokenizer.piece(token)},
                               {"token", token.value()}});
  }
  return identifiers;
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

Json json_of_blocks(const RenderedPrompt& rendered) {
  Json blocks = Json::array();
  for (const PromptBlock& block : rendered.prompt.blocks) {
    Json entry{{"kind", std::string(name_of(block.kind))},
               {"first", block.first},
               {"tokens", block.n_tokens},
               {"position", block.position}};
    if (block.kind == BlockKind::kCandidate || block.kind == BlockKind::kIdentifier)
      entry["candidate"] = rendered.request.candidates[block.item.slot()].id;
    blocks.push_back(std::move(entry));
  }
  return blocks;
}

}  // namespace

Result<RenderedPrompt> render_prompt(const Request& request, const PromptBuilder& prompts,
                                     const LlmEngine& llm) {
  const auto made = ListRequest::create(
      request, {},
      {.builder = prompts,
       .context_tokens = llm.context_size(),
       .max_items = std::min(llm.max_items(), prompts.identifiers(request.task).size())},
      Clock::now());
  if (!made) return made.error();
  const ListRequest& list = **made;
  RenderedPrompt rendered{.request = list.shown(), .prompt = {}, .windows = std::nullopt};
  auto items = list.order().items();
  if (list.in_windows()) {
    rendered.windows = list.options().windows;
    items = items.first(rendered.windows->size);
    rendered.request = presented(list.shown(), items);
  }
  auto prompt = list.prompt(items);
  if (!prompt) return prompt.error();
  rendered.prompt = *std::move(prompt);
  rendered.prompt.truncated_candidates += list.truncated_candidates();
  rendered.prompt.truncated_query = list.truncated_query();
  if (!rendered.prompt.text_limit) rendered.prompt.text_limit = list.text_limit();
  return rendered;
}

std::string format_prompt_json(const RenderedPrompt& rendered, const Tokenizer& tokenizer) {
  const auto& [request, prompt, windows] = rendered;
  Json tokens = Json::array();
  for (const TokenId token : prompt.tokens)
    tokens.push_back(token.value());
  Json line{{"id", request.id},
            {"prompt", text_of(tokenizer, prompt.tokens)},
            {"tokens", std::move(tokens)},
            {"identifiers", json_of_identifiers(rendered, tokenizer)},
            {"truncated_candidates", prompt.truncated_candidates},
            {"truncated_query", prompt.truncated_query},
            {"text_limit", prompt.text_limit ? Json(*prompt.text_limit) : Json(nullptr)}};
  if (!prompt.blocks.empty()) line["blocks"] = json_of_blocks(rendered);
  if (windows) {
    line["windows"] = {{"size", windows->size},
                       {"method", std::string(to_string(windows->method))}};
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string format_prompt_text(const RenderedPrompt& rendered, const Tokenizer& tokenizer) {
  const auto& [request, prompt, windows] = rendered;
  const std::string part = windows ? ", the first of the list's windows" : "";
  return "=== " + request.id + ": " + std::to_string(prompt.tokens.size()) + " tokens, " +
         std::to_string(prompt.identifiers.size()) + " candidates, " +
         std::to_string(prompt.truncated_candidates) + " cut" + part + "\n" +
         text_of(tokenizer, prompt.tokens) + "\n";
}

}  // namespace rsd
