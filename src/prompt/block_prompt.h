// Prompts of templates with `layout: blocks`.
#pragma once

#include <cstddef>
#include <string>

#include "prompt/prompt_renderer.h"
#include "rsd/core/result.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd {

// PromptBuilder::build for a request of single lines, whose query is cut. A text is cut by itself,
// to at most half of the context, whatever stands beside it: a candidate's block depends on its
// text alone. Identifiers are dealt out, and the blocks laid out, in the order of content_order():
// the prompt is the same in whatever order the candidates come.
Result<Prompt> build_block_prompt(const PromptSurroundings& around, const Request& request,
                                  const PromptBuilder::TextLimits& limits);

// PromptBuilder::candidate_block.
PromptBuilder::CandidateBlock build_candidate_block(const PromptSurroundings& around,
                                                    const std::string& text,
                                                    const PromptBuilder::TextLimits& limits);

// PromptBuilder::fit for such a request.
Result<PromptBuilder::FittedRequest> fit_block_prompt(const PromptSurroundings& around,
                                                      Request request,
                                                      const PromptBuilder::TextLimits& limits);

}  // namespace rsd
