#include "server/api/rerank_shape.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "rsd/core/utf8.h"
#include "server/api/foreign_body.h"

namespace rsd::server {
namespace {

constexpr std::size_t kMaxTextTokens = 1'000'000'000;

// Every field of the shapes that is used here.
const std::vector<ForeignField>& known_fields() {
  using enum FieldKind;
  static const std::vector<ForeignField> kFields = {
      {"query", kOther},           {"documents", kOther},       {"texts", kOther},
      {"model", kOther},           {"rank_fields", kOther},     {"decoder", kText},
      {"budget", kNumber},         {"deadline_ms", kNumber},    {"window", kNumber},
      {"stride", kNumber},         {"window_method", kText},    {"cache_salt", kText},
      {"top_n", kNumber},          {"max_doc_length", kNumber}, {"max_tokens_per_doc", kNumber},
      {"min_score", kNumber},      {"raw_scores", kFlag},       {"return_text", kFlag},
      {"return_documents", kFlag}, {"truncate", kFlag},         {"truncation_direction", kText}};
  return kFields;
}

// Cohere's rank_fields: the fields of a document that form its text, each in a line of its own.
std::vector<std::string> rank_fields_of(const Json& body) {
  std::vector<std::string> names;
  const auto list = body.find("rank_fields");
  if (list == body.end() || !list->is_array()) return names;
  for (const Json& name : *list)
    if (name.is_string()) names.push_back(name.get<std::string>());
  return names;
}

std::optional<std::string> document_text(const Json& document,
                                         const std::vector<std::string>& rank_fields) {
  if (!document.is_object() || rank_fields.empty()) return foreign_text(document);
  std::optional<std::string> text;
  for (const std::string& name : rank_fields) {
    const auto member = document.find(name);
    if (member == document.end() || (!member->is_string() && !member->is_number())) continue;
    if (text) *text += '\n';
    text = text.value_or("") +
           (member->is_string() ? member->get_ref<const std::string&>() : member->dump());
  }
  return text ? text : foreign_text(document).value_or("");  // without its fields it is blank
}

// The list under either of its names.
struct TextList {
  std::string name;
  const Json* items = nullptr;
};

// In vLLM's API documents may also be the parts of one content.
const Json* listed(const Json* documents) {
  if (!documents->is_object()) return documents;
  const auto content = documents->find("content");
  return content != documents->end() && content->is_array() ? &*content : documents;
}

constexpr const char* kTextForms =
    "a string, an object with a string in text or content, or parts of content that are text";

// Blank texts are ranked last; a list of nothing but blank texts is an error.
Result<void> read_texts(const TextList& list, const std::vector<std::string>& rank_fields,
                        RerankCall& call) {
  bool all_blank = true;
  call.texts.reserve(list.items->size());
  for (const Json& document : *list.items) {
    auto text = document_text(document, rank_fields);
    if (!text) {
      return wrong_value(list.name + "[" + std::to_string(call.texts.size()) + "]", document,
                         kTextForms);
    }
    all_blank = all_blank && single_line(*text).empty();
    call.texts.push_back(*std::move(text));
  }
  if (all_blank) return Error(ErrorCode::kInvalidInput, list.name + " has nothing but blank texts");
  return {};
}

// Replaces the query by its text.
Result<void> read_query(Json& body) {
  const auto query = body.find("query");
  if (query == body.end() || query->is_null()) return {};
  auto text = foreign_text(*query);
  if (!text) return wrong_value("query", *query, kTextForms);
  *query = *std::move(text);
  return {};
}

void read_truncation(Fields& fields, RerankCall& call) {
  if (!fields.flag("truncate").value_or(true)) call.options.long_texts = LongTexts::kRefuse;
  const auto direction = fields.optional_text("truncation_direction").value_or("Right");
  if (direction != "Right" && direction != "right") {
    fields.fail(wrong_value("truncation_direction", Json(direction),
                            "\"Right\": texts are cut at their end"));
  }
}

// The default of the server whose route it is: Jina and vLLM return the texts, Cohere's second API,
// llama-server, Infinity and TEI don't.
bool returns_documents(RerankRoute route, bool is_tei) {
  return !is_tei && (route == RerankRoute::kV1 || route == RerankRoute::kPlain);
}

void read_options(Fields& fields, RerankCall& call) {
  read_common_options(fields, call.options);
  // 0 is what vLLM's clients send for all.
  if (const auto top_n = fields.whole_number("top_n", kMaxCount, 0); top_n.value_or(0) != 0)
    call.options.top_n = call.n_results = top_n;
  const auto cohere_limit = fields.whole_number("max_tokens_per_doc", kMaxTextTokens, 0);
  const auto jina_limit = fields.whole_number("max_doc_length", kMaxTextTokens);
  if (jina_limit) call.options.max_text_tokens = *jina_limit;
  if (cohere_limit.value_or(0) != 0) call.options.max_text_tokens = *cohere_limit;
  call.raw_scores = fields.flag("raw_scores").value_or(false);
  const bool text = fields.flag("return_text").value_or(call.return_documents);
  call.return_documents = fields.flag("return_documents").value_or(text);
  read_truncation(fields, call);
}

std::string api_version(RerankRoute route) {
  return route == RerankRoute::kV2 ? "2" : "1";
}

OutJson usage_of(const Ranked& ranked) {
  return {{"prompt_tokens", ranked.answer.prompt_tokens},
          {"total_tokens", ranked.total_tokens()},
          {"encodings", ranked.answer.encodings},
          {"verified_prefix", ranked.answer.verified_prefix}};
}

std::vector<Position> positions_of_results(const RerankAnswer& answer) {
  auto listed = listed_positions(answer.ranked.answer);
  listed.resize(std::min(listed.size(), answer.call.n_results.value_or(listed.size())));
  return listed;
}

OutJson tei_results(const RerankAnswer& answer) {
  const auto& scores =
      answer.call.raw_scores ? answer.ranked.answer.raw_relevance : answer.ranked.answer.relevance;
  OutJson results = OutJson::array();
  for (const Position position : positions_of_results(answer)) {
    const std::size_t p = position.slot();
    const std::size_t item = answer.ranked.answer.ranking.at(position).slot();
    OutJson result{{"index", item}, {"score", scores[p]}};
    if (answer.call.return_documents) result["text"] = answer.call.texts[item];
    results.push_back(std::move(result));
  }
  return results;
}

OutJson results_of(const RerankAnswer& answer) {
  OutJson results = OutJson::array();
  for (const Position position : positions_of_results(answer)) {
    const std::size_t p = position.slot();
    const std::size_t item = answer.ranked.answer.ranking.at(position).slot();
    OutJson result{{"index", item}, {"relevance_score", answer.ranked.answer.relevance[p]}};
    if (answer.call.raw_scores) result["raw_score"] = answer.ranked.answer.raw_relevance[p];
    if (answer.call.return_documents) {
      const std::string& text = answer.call.texts[item];
      result["document"] =
          answer.route == RerankRoute::kInfinity ? OutJson(text) : OutJson{{"text", text}};
    } else if (answer.route == RerankRoute::kInfinity) {
      result["document"] = nullptr;
    }
    results.push_back(std::move(result));
  }
  return results;
}

// What was done to the texts, where Cohere reports it; all of it is in headers, too.
OutJson warnings_of(const Ranked& ranked) {
  OutJson warnings = OutJson::array();
  if (ranked.answer.truncated_query) warnings.push_back("the query was cut");
  if (const std::size_t n = ranked.answer.truncated_candidates; n > 0)
    warnings.push_back(std::to_string(n) + (n == 1 ? " document was cut" : " documents were cut"));
  if (ranked.answer.windows && ranked.answer.windows->count > 0) {
    const std::size_t n = ranked.answer.windows->count;
    warnings.push_back("ranked in " + std::to_string(n) + (n == 1 ? " window" : " windows") +
                       " of up to " + std::to_string(ranked.answer.windows->size) + " documents (" +
                       ranked.answer.windows->method + ")");
  }
  return warnings;
}

}  // namespace

bool takes_tei(RerankRoute route) {
  return route == RerankRoute::kPlain || route == RerankRoute::kLlamaServer;
}

namespace {

// Errors of the list that don't depend on its texts.
std::optional<Failure> list_fault(const Json* documents, const Json* texts, const TextList& list,
                                  std::size_t max_documents) {
  const auto refused = [](int status, const std::string& message) {
    return Failure{.status = status, .message = message};
  };
  if (list.items == nullptr) return refused(400, list.name + " is missing");
  if (documents != nullptr && texts != nullptr)
    return refused(400, "documents and texts are both there; one of them is enough");
  if (!list.items->is_array())
    return refused(400, wrong_value(list.name, *list.items, "an array").message());
  if (list.items->empty())
    return Failure{.status = 400, .message = list.name + " is empty", .is_empty_list = true};
  if (list.items->size() <= max_documents) return std::nullopt;
  return refused(413, list.name + " has " + std::to_string(list.items->size()) +
                          " entries; this server takes at most " + std::to_string(max_documents));
}

// Unknown fields are always reported; `rules` decide whether they are an error.
std::optional<Failure> unknown_fault(const ParsedRerank& parsed, const RerankRules& rules) {
  if (parsed.ignored.empty() || rules.unknown == UnknownFields::kIgnored) return std::nullopt;
  return Failure{.status = 400, .message = "unknown fields: " + parsed.ignored};
}

Result<void> read_call(Json& body, const TextList& list, RerankCall& call) {
  if (auto read = read_query(body); !read) return read;
  read_written_types(body, known_fields());
  Fields fields(body);
  call.query = fields.text("query");
  if (auto read = read_texts(list, rank_fields_of(body), call); !read) fields.fail(read.error());
  read_options(fields, call);
  for (const std::string& name : unknown_names(body, known_fields()))
    fields.ignore({name.c_str()});
  fields.ignore({"documents", "texts", "model", "rank_fields"});
  return fields.finish();
}

}  // namespace

ParsedRerank parse_rerank(Json& body, RerankRoute route, const RerankRules& rules) {
  ParsedRerank parsed;
  RerankCall call{.options = rules.defaults};
  const Json* documents = Fields(body).any("documents");
  const Json* texts = Fields(body).any("texts");
  call.is_tei = texts != nullptr && documents == nullptr && takes_tei(route);
  call.return_documents = returns_documents(route, call.is_tei);
  parsed.dialect = call.is_tei ? Dialect::kTei : Dialect::kRerank;
  parsed.ignored = shown_names(unknown_names(body, known_fields()));
  TextList list{.name = documents != nullptr || texts == nullptr ? "documents" : "texts",
                .items = documents != nullptr ? documents : texts};
  if (list.items != nullptr) list.items = listed(list.items);
  parsed.failure = list_fault(documents, texts, list, rules.max_documents);
  if (!parsed.failure) parsed.failure = unknown_fault(parsed, rules);
  if (parsed.failure) return parsed;
  if (const auto read = read_call(body, list, call); !read) {
    parsed.failure = Failure{.status = 400, .message = read.error().message()};
    return parsed;
  }
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
               {"tokens", {{"input_tokens", ranked.answer.prompt_tokens}, {"output_tokens", 0}}},
               {"encodings", ranked.answer.encodings},
               {"verified_prefix", ranked.answer.verified_prefix}};
  if (auto warnings = warnings_of(ranked); !warnings.empty())
    meta["warnings"] = std::move(warnings);
  return {{"id", ranked.request().id},
          {"object", answer.route == RerankRoute::kInfinity ? "rerank" : "list"},
          {"created", static_cast<std::int64_t>(std::time(nullptr))},
          {"model", answer.model},
          {"results", results_of(answer)},
          {"usage", usage_of(ranked)},
          {"meta", std::move(meta)}};
}

}  // namespace rsd::server
