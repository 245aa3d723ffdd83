#include "rerank_shape.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "rsd/core/utf8.h"

namespace rsd::server {
namespace {

constexpr std::size_t kMaxTextTokens = 1'000'000'000;

std::optional<std::string> document_text(const Json& document) {
  const Json* text = &document;
  if (document.is_object()) {
    const auto member = document.find("text");
    if (member == document.end()) return std::nullopt;
    text = &*member;
  }
  if (!text->is_string()) return std::nullopt;
  return text->get<std::string>();
}

void read_texts(Fields& fields, const Json& list, const std::string& name, RerankCall& call) {
  call.texts.reserve(list.size());
  for (const Json& document : list) {
    const std::string field = name + "[" + std::to_string(call.texts.size()) + "]";
    auto text = document_text(document);
    if (!text) {
      return fields.fail(
          wrong_value(field, document, "a string, or an object with a string in text"));
    }
    if (single_line(*text).empty()) {
      return fields.fail(Error(ErrorCode::kInvalidInput, field + " is empty"));
    }
    call.texts.push_back(*std::move(text));
  }
}

// Fields that clients send and that change nothing here.
void ignore_foreign(Fields& fields) {
  // Cohere, Jina, infinity
  fields.ignore({"model", "user", "id", "rank_fields", "max_chunks_per_doc", "return_embeddings",
                 "normalized", "truncation", "encoding_format", "task", "additional_data"});
  // vLLM, SGLang
  fields.ignore({"priority", "request_id", "cache_salt", "truncate_prompt_tokens",
                 "truncation_side", "mm_processor_kwargs", "activation", "use_activation",
                 "softmax", "chat_template", "instruction", "instruct"});
}

void read_truncation(Fields& fields, RerankCall& call) {
  call.options.refuse_cut = !fields.flag("truncate").value_or(true);
  const auto direction = fields.optional_text("truncation_direction").value_or("Right");
  if (direction != "Right" && direction != "right") {
    fields.fail(wrong_value("truncation_direction", Json(direction),
                            "\"Right\": texts are cut at their end"));
  }
}

// As the server has it whose route it is: Jina and vLLM tell the texts, Cohere's second API,
// llama-server and TEI don't.
bool returns_documents(RerankRoute route, bool is_tei) {
  return !is_tei && (route == RerankRoute::kV1 || route == RerankRoute::kPlain);
}

void read_options(Fields& fields, RerankCall& call) {
  read_common_options(fields, call.options);
  // What vLLM's clients send for all.
  if (const auto top_n = fields.whole_number("top_n", kMaxCount, 0); top_n != 0)
    call.options.top_n = top_n;
  call.options.max_text_tokens = fields.whole_number("max_tokens_per_doc", kMaxTextTokens);
  if (const auto limit = fields.whole_number("max_doc_length", kMaxTextTokens);
      limit && !call.options.max_text_tokens) {
    call.options.max_text_tokens = limit;
  }
  call.raw_scores = fields.flag("raw_scores").value_or(false);
  const bool text = fields.flag("return_text").value_or(call.return_documents);
  call.return_documents = fields.flag("return_documents").value_or(text);
  read_truncation(fields, call);
  ignore_foreign(fields);
}

std::string api_version(RerankRoute route) {
  return route == RerankRoute::kV2 ? "2" : "1";
}

OutJson usage_of(const Ranked& ranked) {
  return {{"prompt_tokens", ranked.outcome.prompt_tokens},
          {"total_tokens", ranked.total_tokens()},
          {"encodings", ranked.outcome.encodings},
          {"verified_prefix", ranked.outcome.verified_prefix}};
}

std::size_t n_results(const RerankAnswer& answer) {
  const std::size_t n_items = answer.ranked.outcome.ranking.size();
  return std::min(n_items, answer.call.options.top_n.value_or(n_items));
}

OutJson tei_results(const RerankAnswer& answer) {
  const auto& scores =
      answer.call.raw_scores ? answer.ranked.scores.raw : answer.ranked.scores.relevance;
  OutJson results = OutJson::array();
  for (std::size_t p = 0; p < n_results(answer); ++p) {
    const std::size_t item = answer.ranked.outcome.ranking.at(Position(p)).slot();
    OutJson result{{"index", item}, {"score", scores[p]}};
    if (answer.call.return_documents) result["text"] = answer.call.texts[item];
    results.push_back(std::move(result));
  }
  return results;
}

OutJson results_of(const RerankAnswer& answer) {
  OutJson results = OutJson::array();
  for (std::size_t p = 0; p < n_results(answer); ++p) {
    const std::size_t item = answer.ranked.outcome.ranking.at(Position(p)).slot();
    OutJson result{{"index", item}, {"relevance_score", answer.ranked.scores.relevance[p]}};
    if (answer.call.raw_scores) result["raw_score"] = answer.ranked.scores.raw[p];
    if (answer.call.return_documents) result["document"] = {{"text", answer.call.texts[item]}};
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace

bool takes_tei(RerankRoute route) {
  return route == RerankRoute::kPlain || route == RerankRoute::kLlamaServer;
}

ParsedRerank parse_rerank(const Json& body, RerankRoute route, std::size_t max_documents) {
  ParsedRerank parsed;
  RerankCall call;
  Fields fields(body);
  const Json* documents = fields.any("documents");
  const Json* texts = fields.any("texts");
  call.is_tei = texts != nullptr && documents == nullptr && takes_tei(route);
  call.return_documents = returns_documents(route, call.is_tei);
  parsed.dialect = call.is_tei ? Dialect::kTei : Dialect::kRerank;
  const auto refused = [&](int status, const std::string& message) {
    parsed.failure = Failure{.status = status, .message = message};
    return parsed;
  };
  const std::string name = documents != nullptr || texts == nullptr ? "documents" : "texts";
  const Json* list = documents != nullptr ? documents : texts;
  if (list == nullptr) return refused(400, name + " is missing");
  if (documents != nullptr && texts != nullptr) {
    return refused(400, "documents and texts are both there; one of them is enough");
  }
  if (!list->is_array()) {
    return refused(400, wrong_value(name, *list, "an array").message());
  }
  if (list->empty()) {
    parsed.failure = Failure{.status = 400, .message = name + " is empty", .is_empty_list = true};
    return parsed;
  }
  if (list->size() > max_documents) {
    return refused(413, name + " has " + std::to_string(list->size()) +
                            " entries; this server takes at most " + std::to_string(max_documents));
  }
  call.query = fields.text("query");
  read_texts(fields, *list, name, call);
  read_options(fields, call);
  if (const auto done = fields.finish(); !done) return refused(400, done.error().message());
  parsed.call = std::move(call);
  return parsed;
}

Request request_of(const RerankCall& call, const std::string& id) {
  Request request{.id = id, .query = call.query};
  request.candidates.reserve(call.texts.size());
  for (const std::string& text : call.texts) {
    request.candidates.push_back({.id = std::to_string(request.candidates.size()),
                                  .text = text,
                                  .first_stage_score = std::nullopt});
  }
  return request;
}

OutJson rerank_body(const RerankAnswer& answer) {
  if (answer.call.is_tei) return tei_results(answer);
  const Ranked& ranked = answer.ranked;
  OutJson meta{{"api_version", {{"version", api_version(answer.route)}}},
               {"billed_units", {{"search_units", 1}}},
               {"encodings", ranked.outcome.encodings},
               {"verified_prefix", ranked.outcome.verified_prefix}};
  return {{"id", ranked.request.id},
          {"object", "list"},
          {"created", static_cast<std::int64_t>(std::time(nullptr))},
          {"model", answer.model},
          {"results", results_of(answer)},
          {"usage", usage_of(ranked)},
          {"meta", std::move(meta)}};
}

}  // namespace rsd::server
