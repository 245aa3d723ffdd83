// A ranking and how it was reached: what every way to rank answers with.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// One prompt's decoding with all of its rounds: of the whole list, or of a window of it.
struct RankedPart {
  std::size_t window = 0;       // its number in the plan, from 1; 0: the list went in one prompt
  std::vector<ItemId> items{};  // the request's candidates by index, in the order of the prompt
  Ranking ranking;              // of `items`, by index
  History history;
  std::vector<double> round_ms{};  // by encoding; the prefill's is in the first
};

// K candidates, in figures that the contract of `rsd rank` names (format_answer).
struct Answer {
  Ranking ranking{};  // of the request's candidates, by index; always all of them
  // One score a position of the ranking, strictly decreasing (rank/relevance_scores.h): in (0, 1],
  // and as logarithms of probabilities.
  std::vector<double> relevance{};
  std::vector<double> raw_relevance{};
  std::string decoder{};                // to_string(DecoderKind)
  std::optional<std::size_t> budget{};  // encodings that it might have taken; nullopt = no limit
  std::size_t encodings = 0;            // LLM passes, the prefills included
  std::size_t verified_prefix = 0;      // leading positions known to equal the target ranking's
  std::size_t tokens_encoded = 0;       // of prompts and proposals
  std::size_t prompt_tokens = 0;        // of the prompts, reused ones included
  std::size_t tokens_reused = 0;        // of the prompts: known from earlier requests
  // Places of prompts in blocks whose candidate did not go through the LLM, since it was kept or is
  // in an index: in windows a candidate may count several times. nullopt: no prompt was in blocks.
  std::optional<std::size_t> candidates_reused{};
  std::size_t truncated_candidates = 0;  // texts that were cut to fit
  bool truncated_query = false;          // the query was cut, or the history
  bool deadline_hit = false;             // the deadline came before budget or fixed point
  double prefill_ms = 0;
  double decode_ms = 0;
  double agent_ms = 0;
  double total_ms = 0;  // from the request's arrival to its answer
  // How a list that was ranked in windows was; see rsd/window/list_run.h.
  struct Windows {
    std::size_t count = 0;
    std::size_t confirmed_prefix = 0;
    std::size_t size = 0;  // candidates of a window, at most
    std::string method{};  // WindowMethod's name
  };
  std::optional<Windows> windows{};
  // By window number, where RankOptions::keep_rounds asked for them.
  std::vector<RankedPart> rounds{};
};

}  // namespace rsd
