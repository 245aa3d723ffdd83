// What became of a request, before it takes the form of an API.
#pragma once

#include <cstddef>
#include <memory>
#include <variant>

#include "rsd/data/answer.h"
#include "rsd/rank/request.h"
#include "rsd/ranker/ranker.h"
#include "server/http/failure.h"

namespace rsd::server {

struct Ranked {
  std::shared_ptr<const PreparedRequest> prepared;
  Answer answer;
  double queue_ms = 0;  // from its arrival until it was taken in

  const Request& request() const { return prepared->request(); }

  // Tokens of the prompts and the proposals, those known from an earlier prompt included.
  std::size_t total_tokens() const { return answer.tokens_encoded + answer.tokens_reused; }
};

using RankEnd = std::variant<Ranked, Failure>;

}  // namespace rsd::server
