// The bodies of /v1/rerank, /v2/rerank and /rerank: Cohere's, Jina's, vLLM's, llama-server's,
// infinity's and TEI's clients find what they look for.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "server/api/error_reply.h"
#include "server/api/json_body.h"
#include "server/api/rank_options.h"
#include "server/api/ranked.h"

namespace rsd::server {

struct RerankCall {
  std::string query{};
  std::vector<std::string> texts{};
  RankOptions options;
  std::optional<std::size_t> n_results{};  // that are returned, its top_n; nullopt = all
  bool is_tei = false;                     // the reply is a bare array
  bool return_documents = false;
  bool raw_scores = false;
};

// Which API's route was called: they differ in their answers' small print.
enum class RerankRoute { kV1, kV2, kPlain, kLlamaServer, kInfinity };

// `texts` in place of `documents` is TEI's shape there, and another name for it elsewhere.
bool takes_tei(RerankRoute route);

// Other servers have fields that mean nothing here, and new ones every year.
enum class UnknownFields { kIgnored, kRefused };

struct RerankRules {
  std::size_t max_documents = 1000;
  UnknownFields unknown = UnknownFields::kIgnored;
  RankOptions defaults{};  // of what the body doesn't choose
};

// Types are taken as clients write them (foreign_body.h), which changes the body. A Failure of 400:
// a field that is missing or can't be read, one that is unknown where that is refused, no
// documents, or none that isn't blank; of 413: too many documents.
struct ParsedRerank {
  std::optional<RerankCall> call;
  std::optional<Failure> failure;
  Dialect dialect = Dialect::kRerank;
  std::string ignored;  // the names of fields that are unknown, as shown_names has them
};
ParsedRerank parse_rerank(Json& body, RerankRoute route, const RerankRules& rules);

// The request that is ranked: candidates have their index as id.
Request request_of(const RerankCall& call, const std::string& id);

// Sorted best first, as many as top_n says.
struct RerankAnswer {
  const RerankCall& call;
  const Ranked& ranked;
  std::string model;
  RerankRoute route = RerankRoute::kV1;
};
OutJson rerank_body(const RerankAnswer& answer);

}  // namespace rsd::server
