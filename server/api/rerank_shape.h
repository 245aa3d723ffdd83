// The bodies of /v1/rerank, /v2/rerank and /rerank, for the clients of Cohere, Jina, vLLM,
// llama-server, Infinity and TEI.
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

// Which API's route was called: their answers differ in details.
enum class RerankRoute { kV1, kV2, kPlain, kLlamaServer, kInfinity };

// `texts` in place of `documents` is TEI's shape there, and another name for it elsewhere.
bool takes_tei(RerankRoute route);

// What to do with the fields of other servers that mean nothing here.
enum class UnknownFields { kIgnored, kRefused };

struct RerankRules {
  std::size_t max_documents = 1000;
  UnknownFields unknown = UnknownFields::kIgnored;
  RankOptions defaults{};  // for what the body doesn't set
};

// Converts values to the types that clients mean (foreign_body.h), which changes the body. Failure
// 400: a field is missing or can't be read, or is unknown and that is refused, or all documents are
// blank or there are none. 413: too many documents.
struct ParsedRerank {
  std::optional<RerankCall> call;
  std::optional<Failure> failure;
  Dialect dialect = Dialect::kRerank;
  std::string ignored;  // the names of unknown fields, as shown_names writes them
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
