// A request that was ranked, before it takes a shape.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "relevance_scores.h"
#include "rsd/data/answer_writer.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/run.h"
#include "rsd/rank/request.h"

namespace rsd::server {

struct Ranked {
  Request request;
  Outcome outcome;
  std::optional<Decoding> decoding;        // of a list of one window; nullopt: none was kept
  std::optional<Answer::Windows> windows;  // of a list of several
  std::string decoder;
  std::optional<std::size_t> budget;
  std::size_t truncated_candidates = 0;
  bool truncated_query = false;
  // By index of what was ranked: the index of the request. Blank candidates are not ranked.
  std::vector<ItemId> items;
  double queue_ms = 0;
  RelevanceScores scores;

  // Tokens of the prompt and the proposals, those known from an earlier prompt included.
  std::size_t total_tokens() const { return outcome.tokens_encoded + outcome.tokens_reused; }
};

}  // namespace rsd::server
