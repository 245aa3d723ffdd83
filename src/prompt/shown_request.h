// A request in the form that prompts show.
#pragma once

#include <cstddef>

#include "prompt/prompt_renderer.h"
#include "rsd/rank/request.h"

namespace rsd {

struct ShownRequest {
  Request request;  // single lines; only the titles of the history that the template shows
  bool truncated_query = false;
};

// Cuts query or history, see PromptBuilder::fit.
ShownRequest shown(const Request& request, const PromptSurroundings& around,
                   std::size_t context_tokens);

}  // namespace rsd
