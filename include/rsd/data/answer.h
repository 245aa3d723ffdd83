// The answer to a request: the ranking, and how it was reached.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// The decoding of one prompt, of the whole list or of a window of it, with all of its rounds.
struct RankedPart {
  std::size_t window = 0;       // its number in the plan, from 1; 0 = the list is one prompt
  std::vector<ItemId> items{};  // the request's candidates by index, in the order of the prompt
  Ranking ranking;              // of `items`, by index
  History history;
  std::vector<double> round_ms{};  // by encoding; the prefill's is in the first
};

// The answer to a request of K candidates; format_answer writes the same fields.
struct Answer {
  Ranking ranking{};  // of the request's candidates, by index; always all of them
  // One score per position of the ranking, strictly decreasing (rank/relevance_scores.h): in (0,
  // 1], and as logarithms of probabilities.
  std::vector<double> relevance{};
  std::vector<double> raw_relevance{};
  // The LLM reads relevance (ModelInfo::relevance): each score is the probability that the
  // candidate is relevant, whatever else is in the list, and the raw ones are log-odds. They need
  // not decrease: the ranking compares the candidates with each other, the scores don't.
  bool relevance_is_probability = false;
  std::optional<double> min_score{};  // RankOptions::min_score
  std::string decoder{};              // to_string(DecoderKind)
  std::optional<std::size_t>
      budget{};                     // the most encodings that it was allowed; nullopt = no limit
  std::size_t encodings = 0;        // LLM passes, the prefills included
  std::size_t verified_prefix = 0;  // leading positions known to equal the target ranking's
  std::size_t tokens_encoded = 0;   // of prompts and proposals
  std::size_t prompt_tokens = 0;    // of the prompts, reused ones included
  std::size_t tokens_reused = 0;    // of the prompts: known from earlier requests
  // Places of prompts in blocks whose candidate did not go through the LLM, since it was kept or is
  // in an index: in windows a candidate may count several times. nullopt: no prompt was in blocks.
  std::optional<std::size_t> candidates_reused{};
  std::size_t truncated_candidates = 0;  // texts that were cut to fit
  bool truncated_query = false;          // the query was cut, or the history
  bool deadline_hit = false;             // the deadline ended it, not budget or full verification
  double prefill_ms = 0;
  double decode_ms = 0;
  double agent_ms = 0;
  double total_ms = 0;  // from the request's arrival to its answer
  // For a list that was ranked in windows; see ListOutcome.
  struct Windows {
    std::size_t count = 0;
    std::size_t confirmed_prefix = 0;
    std::size_t size = 0;  // the most candidates of a window
    std::string method{};  // WindowMethod's name
  };
  std::optional<Windows> windows{};
  // In the order of the windows' numbers; empty without RankOptions::keep_rounds.
  std::vector<RankedPart> rounds{};
};

// The positions whose candidates an answer lists: all, or with min_score those whose relevance is
// at least that high. All where the LLM had no time to read relevance: scores that compare don't
// tell who is relevant.
std::vector<Position> listed_positions(const Answer& answer);
// Answer::relevance at these positions. Answers without relevance must not be asked.
std::vector<double> listed_relevance(const Answer& answer);
// Whether no candidate is relevant with a probability of 0.5 or more; nullopt without
// probabilities.
std::optional<bool> none_relevant(const Answer& answer);

}  // namespace rsd
