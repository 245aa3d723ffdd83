// A request as prompts show it.
#pragma once

#include <cstddef>

#include "prompt/prompt_renderer.h"
#include "rsd/rank/request.h"

namespace rsd {

struct ShownRequest {
  Request request;  // single lines; of a history the titles that the template shows
  bool truncated_query = false;
};

// Cuts query or history as PromptBuilder::fit says.
ShownRequest shown(const Request& request, const PromptSurroundings& around,
                   std::size_t context_tokens);

}  // namespace rsd
