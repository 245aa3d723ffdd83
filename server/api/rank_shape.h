// The bodies of /v1/rank: requests and answers in full.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "rsd/data/request_reader.h"
#include "server/api/json_body.h"
#include "server/api/rank_options.h"
#include "server/api/ranked.h"
#include "server/http/failure.h"

namespace rsd::server {

struct RankItem {
  std::string id;
  std::variant<Request, Failure> request;
};

struct RankCall {
  std::vector<RankItem> items{};  // one if the body is a request itself
  bool is_list = false;           // the body has `requests`; an item that fails affects no other
  RankOptions options;            // keep_rounds: rounds are wanted
};

struct RankRules {
  std::size_t max_requests = 64;
  std::size_t max_candidates = 1000;
  RankOptions defaults{};        // for what the body doesn't set
  RequestLimits::Texts texts{};  // of candidates that are given by their ids alone
};

// `fallback_id` names a request without an id; in a list, its place does. A Failure of 400 or 413.
std::variant<RankCall, Failure> parse_rank(const Json& body, const std::string& fallback_id,
                                           const RankRules& rules);

// How many logits its rounds have, blank candidates' included.
std::size_t n_round_logits(const Ranked& ranked);

// The fields of an answer line of `rsd rank`, relevance_scores, and with Rounds::kShown each
// encoding's proposal and logits.
enum class Rounds { kHidden, kShown };
OutJson rank_answer(const Ranked& ranked, Rounds rounds);

}  // namespace rsd::server
