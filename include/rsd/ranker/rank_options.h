// How a request is ranked: one type for flags, JSON fields, headers and programs.
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

// Encodings of one prompt's decoding by rsd where nobody says how many.
inline constexpr std::size_t kDefaultBudget = 3;

// How texts that are too long are treated.
enum class LongTexts { kCut, kRefuse };

struct RankOptions {
  DecoderKind decoder = DecoderKind::kRsd;
  // LLM encodings for the whole list, prefills included, at least 1; for the decoders that take a
  // budget (takes_budget). nullopt: kDefaultBudget for each prompt of rsd, no limit for sd.
  std::optional<std::size_t> budget{};
  // From the request's arrival; then the best ranking so far is the answer. Above 0.
  std::optional<std::chrono::duration<double, std::milli>> deadline{};
  std::optional<std::size_t> top_n{};  // stop as soon as so many leading positions are known
  std::optional<Draft> draft{};        // nullopt = default_draft()
  std::string policy{};                // by name (rsd and exact); empty: the ranker's own
  WindowChoice windows{};              // of lists that are longer than one prompt
  std::size_t max_text_tokens = kDefaultTextTokens;  // of a candidate that are read
  LongTexts long_texts = LongTexts::kCut;
  // An order of the request's candidates that is likely to be right, such as an earlier answer: the
  // draft of the first encoding (sd, rsd, exact), or the order in which windows begin.
  std::optional<Ranking> previous{};
  // Tokens of LLM work that the request may be expected to take (PreparedRequest::expected_tokens);
  // nullopt = any number.
  std::optional<std::size_t> max_tokens{};
  // Requests reuse prompts, and kept candidates, of the same scope only: give clients that must not
  // learn of each other's requests different ones.
  std::optional<std::string> cache_scope{};
  bool keep_rounds = false;  // Answer::rounds; takes O(K^3) floats at most
};

// The budget of a decoding whose list is one prompt; nullopt = no limit. In windows, a budget that
// is named is the whole list's, and the default one each window's.
std::optional<std::size_t> budget_of_prompt(const RankOptions& options) noexcept;

// What can be said before any request is known. kInvalidArgument: a number out of range, or windows
// that window_options refuses.
Result<void> check(const RankOptions& options);

}  // namespace rsd
