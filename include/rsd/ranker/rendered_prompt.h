// The exact prompt of a request, for people and for other programs.
#pragma once

#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"
#include "rsd/window/window_plan.h"

namespace rsd {

struct RenderedPrompt {
  Request request;  // its candidates in the order of the prompt, those without a text left out
  Prompt prompt;
  // If the list is ranked in windows: how. The request and the prompt are then the first window's,
  // in the order of the list.
  std::optional<WindowOptions> windows;
};

// Plans the request as Ranker::prepare does with default options, and builds its first prompt.
// Makes no LLM pass. Errors of ListRequest::create and PromptBuilder::build.
Result<RenderedPrompt> render_prompt(const Request& request, const PromptBuilder& prompts,
                                     const LlmEngine& llm);

// One line of JSON, ending in a newline: id, prompt, tokens, identifiers [{candidate, text,
// token}], truncated_candidates, truncated_query, text_limit, for a prompt in blocks [{kind, first,
// tokens, position, candidate}], and for a list in windows {size, method}. Bytes that aren't UTF-8,
// since a text was cut in the middle of a character, become U+FFFD.
std::string format_prompt_json(const RenderedPrompt& rendered, const Tokenizer& tokenizer);

// A line with the id and the counts, then the prompt's text and a newline.
std::string format_prompt_text(const RenderedPrompt& rendered, const Tokenizer& tokenizer);

}  // namespace rsd
