#include "rsd/prompt/prompt_builder.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <utility>

#include "prompt/block_prompt.h"
#include "prompt/cuttable_text.h"
#include "prompt/prompt_renderer.h"
#include "prompt/shown_request.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

struct Cut {
  std::vector<std::string> texts;
  std::size_t n_cut = 0;
};

Cut cut_all(const std::vector<CuttableText>& texts, const std::vector<std::string>& whole,
            std::size_t limit) {
  Cut cut;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    cut.texts.push_back(texts[i].first(limit));
    if (cut.texts.back().size() < whole[i].size()) ++cut.n_cut;
  }
  return cut;
}

// Limits for the prompt and for each text.
struct TokenLimits {
  std::size_t prompt = 0;
  std::size_t text = 0;
};

Result<Prompt> fit_one_prompt(const PromptRenderer& renderer, const Tokenizer& tokenizer,
                              const std::vector<std::string>& whole, const TokenLimits& limits) {
  const std::size_t max_prompt_tokens = limits.prompt;
  const bool reachable = std::ranges::all_of(whole, [&](const std::string& text) {
    return within_reach(text, max_prompt_tokens).size() == text.size();
  });
  if (reachable && limits.text >= max_prompt_tokens) {
    Prompt prompt{.tokens = renderer.tokens(whole)};
    if (prompt.tokens.size() <= max_prompt_tokens) return prompt;
  }
  std::vector<CuttableText> texts;
  std::size_t longest = 1;
  for (const auto& text : whole) {
    texts.emplace_back(tokenizer, std::string(within_reach(text, max_prompt_tokens)));
    longest = std::max(longest, texts.back().n_tokens());
  }
  const auto cut_to = [&](std::size_t limit) {
    const Cut cut = cut_all(texts, whole, limit);
    return Prompt{.tokens = renderer.tokens(cut.texts),
                  .truncated_candidates = cut.n_cut,
                  .text_limit = cut.n_cut > 0 ? std::optional(limit) : std::nullopt};
  };
  Prompt best = cut_to(1);
  if (best.tokens.size() > max_prompt_tokens) {
    return Error(ErrorCode::kTooLong,
                 "the prompt takes " + std::to_string(best.tokens.size()) +
                     " tokens even with every candidate's text cut to 1 token; the context has "
                     "room for " +
                     std::to_string(max_prompt_tokens));
  }
  const std::size_t most = std::min({longest, max_prompt_tokens, limits.text});
  if (Prompt prompt = cut_to(most); prompt.tokens.size() <= max_prompt_tokens) return prompt;
  // Bisection for the largest limit that fits: `low` fits, `high` does not.
  std::size_t low = 1;
  std::size_t high = most;
  while (high - low > 1) {
    const std::size_t limit = low + (high - low) / 2;
    Prompt prompt = cut_to(limit);
    if (prompt.tokens.size() <= max_prompt_tokens) {
      best = std::move(prompt);
      low = limit;
    } else {
      high = limit;
    }
  }
  return best;
}

Error too_few_identifiers(std::size_t n_items, const Identifiers& identifiers) {
  return {ErrorCode::kUnsupported, "the request has " + std::to_string(n_items) +
                                       " candidates; this model's tokenizer has " +
                                       std::to_string(identifiers.size()) +
                                       " single-token identifiers"};
}

std::vector<std::string> texts_of(const Request& request) {
  std::vector<std::string> texts;
  texts.reserve(request.candidates.size());
  for (const Candidate& candidate : request.candidates)
    texts.push_back(candidate.text);
  return texts;
}

// Numbers of tokens: the limit for prompt and ranking, the frame (which belongs to no candidate),
// and the tokens around a candidate's text, its place in the ranking included.
struct Room {
  std::size_t context = 0;
  std::size_t frame = 0;
  std::size_t item = 0;
};

// The number of the longest candidates that fit one prompt, at least 2 if there are 2. Notes how
// many tokens they take.
std::size_t largest_window(const PromptRenderer& renderer, PromptBuilder::FittedRequest& fitted,
                           const Room& room) {
  constexpr std::size_t kBytesOfToken = 4;
  const Request& request = fitted.request;
  const std::size_t n_items = request.candidates.size();
  std::size_t bytes = 0;
  for (const Candidate& candidate : request.candidates)
    bytes += candidate.text.size();
  // A token has at least one byte: if even the bytes fit, nothing needs to be tokenised.
  fitted.frame_tokens = room.frame;
  fitted.candidate_tokens = n_items * room.item + bytes / kBytesOfToken;
  if (room.frame + n_items * room.item + bytes <= room.context) return n_items;
  std::vector<std::size_t> sizes;
  sizes.reserve(n_items);
  for (const Candidate& candidate : request.candidates)
    sizes.push_back(renderer.n_item_tokens(candidate.text) + 1);
  fitted.candidate_tokens = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  std::ranges::sort(sizes, std::greater());
  std::size_t sum = room.frame;
  std::size_t n_fitting = 0;
  while (n_fitting < n_items && (sum += sizes[n_fitting]) <= room.context)
    ++n_fitting;
  return std::max(n_fitting, std::min<std::size_t>(2, n_items));
}

}  // namespace

PromptBuilder::PromptBuilder(std::shared_ptr<const Tokenizer> tokenizer,
                             const PromptTemplates& templates, std::size_t max_items)
    : tokenizer_(std::move(tokenizer)) {
  for (const Task task : {Task::kPassage, Task::kRecommendation}) {
    const PromptTemplate& wording = templates.for_task(task);
    tasks_.emplace(
        task, TaskContext{.prompt_template = wording,
                          .frame = tokenizer_->chat_frame(!wording.system.empty()),
                          .identifiers = find_identifiers(*tokenizer_, wording.answer, max_items)});
  }
}

Result<Prompt> PromptBuilder::build(const Request& request, std::size_t context_tokens,
                                    std::optional<std::size_t> max_text_tokens) const {
  RSD_CHECK(max_text_tokens != 0U, "texts of no tokens");
  const TaskContext& task = tasks_.at(request.task);
  const std::size_t n_items = request.candidates.size();
  if (n_items > task.identifiers.size()) return too_few_identifiers(n_items, task.identifiers);
  if (context_tokens <= n_items) {
    return Error(ErrorCode::kTooLong, "a context of " + std::to_string(context_tokens) +
                                          " tokens is too small for " + std::to_string(n_items) +
                                          " identifiers");
  }
  const PromptSurroundings around = surroundings(task);
  const ShownRequest shown = rsd::shown(request, around, context_tokens);
  if (task.prompt_template.layout == PromptLayout::kBlocks) {
    auto prompt = build_block_prompt(around, shown.request,
                                     {.context_tokens = context_tokens,
                                      .max_text_tokens = max_text_tokens.value_or(context_tokens)});
    if (prompt) prompt->truncated_query = shown.truncated_query;
    return prompt;
  }
  const PromptRenderer renderer(around, shown.request);
  const std::size_t room = context_tokens - n_items;
  auto prompt = fit_one_prompt(renderer, *tokenizer_, texts_of(shown.request),
                               {.prompt = room, .text = max_text_tokens.value_or(room)});
  if (!prompt) return prompt;
  prompt->truncated_query = shown.truncated_query;
  prompt->identifiers.assign(
      task.identifiers.tokens.begin(),
      task.identifiers.tokens.begin() + static_cast<std::ptrdiff_t>(n_items));
  return prompt;
}

Result<PromptBuilder::FittedRequest> PromptBuilder::fit(const Request& request,
                                                        const TextLimits& limits) const {
  RSD_CHECK(limits.max_text_tokens > 0, "texts of no tokens");
  const TaskContext& task = tasks_.at(request.task);
  const std::size_t n_items = request.candidates.size();
  const std::size_t n_least = std::min<std::size_t>(2, n_items);
  if (task.identifiers.size() < n_least) return too_few_identifiers(n_least, task.identifiers);
  const PromptSurroundings around = surroundings(task);
  ShownRequest shown = rsd::shown(request, around, limits.context_tokens);
  if (task.prompt_template.layout == PromptLayout::kBlocks) {
    auto fitted = fit_block_prompt(around, std::move(shown.request), limits);
    if (fitted) fitted->truncated_query = shown.truncated_query;
    return fitted;
  }
  PromptBuilder::FittedRequest fitted{.request = std::move(shown.request),
                                      .truncated_query = shown.truncated_query};
  const PromptRenderer renderer(around, fitted.request);
  const Room room{.context = limits.context_tokens,
                  .frame = renderer.n_frame_tokens(),
                  .item = renderer.n_item_tokens("") + 1};
  if (room.frame + n_least * (room.item + 1) > room.context) {
    return Error(ErrorCode::kTooLong, "a context of " + std::to_string(room.context) +
                                          " tokens has no room for " + std::to_string(n_least) +
                                          " candidates: what stands around their texts takes " +
                                          std::to_string(room.frame + n_least * room.item));
  }
  if (n_items == 0) return fitted;
  const std::size_t text_limit =
      std::min(limits.max_text_tokens, (room.context - room.frame) / n_least - room.item);
  for (Candidate& candidate : fitted.request.candidates)
    fitted.truncated_candidates += cut_text(candidate.text, *tokenizer_, text_limit) ? 1 : 0;
  if (fitted.truncated_candidates > 0) fitted.text_limit = text_limit;
  fitted.max_window = std::min(task.identifiers.size(), largest_window(renderer, fitted, room));
  return fitted;
}

Result<PromptBuilder::CandidateBlock> PromptBuilder::candidate_block(
    Task task, const std::string& text, const TextLimits& limits) const {
  RSD_CHECK(limits.max_text_tokens > 0, "texts of no tokens");
  if (layout(task) == PromptLayout::kBlocks)
    return build_candidate_block(surroundings(tasks_.at(task)), text, limits);
  return Error(ErrorCode::kUnsupported,
               "the prompt's template is not in blocks (layout: blocks): a candidate has no block");
}

PromptLayout PromptBuilder::layout(Task task) const {
  return tasks_.at(task).prompt_template.layout;
}

PromptSurroundings PromptBuilder::surroundings(const TaskContext& task) const {
  return {.tokenizer = *tokenizer_,
          .wording = task.prompt_template,
          .frame = task.frame,
          .identifiers = task.identifiers};
}

const Identifiers& PromptBuilder::identifiers(Task task) const {
  return tasks_.at(task).identifiers;
}

}  // namespace rsd
