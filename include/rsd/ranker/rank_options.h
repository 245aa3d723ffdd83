// The options of a request, the same for flags, JSON fields, HTTP headers and programs.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "rsd/decode/decoding.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/ranking.h"
#include "rsd/window/window_choice.h"

namespace rsd {

// The default budget of a decoding by rsd, which is one prompt's.
inline constexpr std::size_t kDefaultBudget = 3;

// How texts that are too long are treated.
enum class LongTexts { kCut, kRefuse };

struct RankOptions {
  DecoderKind decoder = DecoderKind::kRsd;
  // LLM encodings for the whole list, prefills included, at least 1; for the decoders that take a
  // budget (takes_budget). nullopt: kDefaultBudget for each prompt of rsd, no limit for sd.
  std::optional<std::size_t> budget{};
  // The time from the request's arrival after which the best ranking so far is the answer; above 0.
  std::optional<std::chrono::duration<double, std::milli>> deadline{};
  std::optional<std::size_t> top_n{};  // stop as soon as so many leading positions are known
  std::optional<Draft> draft{};        // nullopt = default_draft()
  // Candidates that are relevant with a lower probability, in [0, 1], are ranked, but not listed
  // (listed_positions); for LLMs that read relevance.
  std::optional<double> min_score{};
  std::string policy{};    // by name (rsd and exact); empty: the ranker's own
  WindowChoice windows{};  // of lists that are longer than one prompt
  // Longer texts of candidates are cut to this many tokens, at least 1.
  std::size_t max_text_tokens = kDefaultTextTokens;
  LongTexts long_texts = LongTexts::kCut;
  // An order of the request's candidates that is likely to be right, such as an earlier answer: the
  // draft of the first encoding (sd, rsd, exact), or the order in which windows begin.
  std::optional<Ranking> previous{};
  // The limit for PreparedRequest::expected_tokens; nullopt = no limit.
  std::optional<std::size_t> max_tokens{};
  // Prompts, and kept candidates, are reused only between requests of one scope: give clients that
  // must not learn about each other's requests different scopes.
  std::optional<std::string> cache_scope{};
  bool keep_rounds = false;  // Answer::rounds; takes O(K^3) floats at most
};

// The budget of a decoding whose list is one prompt; nullopt = no limit. In windows, a budget that
// is named is the whole list's, and the default one each window's.
std::optional<std::size_t> budget_of_prompt(const RankOptions& options) noexcept;

// Checks what does not depend on a request. kInvalidArgument: a number out of range, or a field of
// `windows` that its method does not use.
Result<void> check(const RankOptions& options);

}  // namespace rsd
