#include "prompt/shown_request.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "prompt/cuttable_text.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

// The share of the context for all places of the query or the history. The built-in template has
// the query twice, so a query of a quarter of the context is not cut.
constexpr std::size_t kSubjectShare = 2;  // 1 / 2

// Shorter titles carry too little information.
constexpr std::size_t kLeastTitleTokens = 8;

// The largest limit, up to `most`, for which the sum of the sizes, each cut to the limit, is at
// most `most`.
std::size_t common_limit(const std::vector<std::size_t>& sizes, std::size_t most) {
  const auto total = [&](std::size_t limit) {
    return std::accumulate(
        sizes.begin(), sizes.end(), std::size_t{0},
        [&](std::size_t sum, std::size_t size) { return sum + std::min(size, limit); });
  };
  std::size_t low = 0;
  std::size_t high = most + 1;
  while (high - low > 1) {
    const std::size_t limit = low + (high - low) / 2;
    (total(limit) <= most ? low : high) = limit;
  }
  return low;
}

std::vector<std::size_t> sizes_of(const std::vector<std::string>& titles) {
  std::vector<std::size_t> sizes;
  sizes.reserve(titles.size());
  for (const std::string& title : titles)
    sizes.push_back(title.size());
  return sizes;
}

std::size_t sum_of(const std::vector<std::size_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
}

template <typename T>
void keep_last(std::vector<T>& list, std::size_t n) {
  if (list.size() > n) list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(n));
}

// The tokens of a title's line without the title.
std::size_t n_line_tokens(const PromptSurroundings& around) {
  std::string literals;
  for (const PromptTemplate::Part& part : around.wording.history_item)
    literals += part.literal;
  return around.tokenizer.encode_text(literals).size();
}

// Returns false if nothing had to be cut.
bool cut_history(std::vector<std::string>& titles, const PromptSurroundings& around,
                 std::size_t max_tokens) {
  const std::size_t per_line = n_line_tokens(around);
  if (sum_of(sizes_of(titles)) + titles.size() * per_line <= max_tokens) return false;
  const std::size_t n_titles = titles.size();
  keep_last(titles, std::max<std::size_t>(1, max_tokens / (per_line + 1)));
  const std::size_t reach = common_limit(sizes_of(titles), kReachedBytesPerToken * max_tokens);
  std::vector<CuttableText> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& title : titles) {
    texts.emplace_back(around.tokenizer, std::string(first_bytes(title, reach)));
    sizes.push_back(texts.back().n_tokens());
  }
  const bool is_too_long = sum_of(sizes) + titles.size() * per_line > max_tokens;
  if (is_too_long) {
    const std::size_t n_kept =
        std::max<std::size_t>(1, max_tokens / (per_line + kLeastTitleTokens));
    keep_last(titles, n_kept);
    keep_last(texts, n_kept);
    keep_last(sizes, n_kept);
  }
  const std::size_t lines = titles.size() * per_line;
  const std::size_t limit = common_limit(sizes, max_tokens - std::min(max_tokens, lines));
  bool any_cut = titles.size() < n_titles;
  for (std::size_t i = 0; i < titles.size(); ++i) {
    std::string cut = texts[i].first(limit);
    any_cut = any_cut || cut.size() < titles[i].size();
    titles[i] = std::move(cut);
  }
  return any_cut;
}

}  // namespace

ShownRequest shown(const Request& request, const PromptSurroundings& around,
                   std::size_t context_tokens) {
  ShownRequest shown{.request = {.id = request.id,
                                 .task = request.task,
                                 .query = single_line(request.query),
                                 .history = {},
                                 .candidates = {},
                                 .relevance = request.relevance}};
  const std::size_t wanted = around.wording.history_last;
  const std::size_t n_titles = request.history.size();
  const std::size_t first = wanted == 0 || n_titles <= wanted ? 0 : n_titles - wanted;
  for (std::size_t i = first; i < n_titles; ++i)
    shown.request.history.push_back(single_line(request.history[i]));
  shown.request.candidates.reserve(request.candidates.size());
  for (const Candidate& candidate : request.candidates) {
    shown.request.candidates.push_back({.id = candidate.id,
                                        .text = single_line(candidate.text),
                                        .first_stage_score = candidate.first_stage_score});
  }
  const std::size_t room =
      context_tokens / kSubjectShare / std::max<std::size_t>(1, around.n_subjects());
  shown.truncated_query = request.task == Task::kPassage
                              ? cut_text(shown.request.query, around.tokenizer, room)
                              : cut_history(shown.request.history, around, room);
  return shown;
}

}  // namespace rsd
