// parse_request: converts a line of JSON to a validated `Request`.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/names.h"
#include "data/document.h"
#include "data/json_fields.h"
#include "data/shorten.h"
#include "json/read_json.h"
#include "rsd/data/request_reader.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

constexpr NameTable<Task, 2> kTasks = {
    {{{Task::kPassage, "passage"}, {Task::kRecommendation, "recommendation"}}}};

// ---- Errors: the field, its value, what it must be -------------------------------------------

Error missing(const std::string& field) {
  return invalid_input(field + " is missing");
}

// ---- JSON values ------------------------------------------------------------------------------

Result<Json> parse_json(std::string_view line, const RequestLimits& limits) {
  if (line.size() > limits.max_line_bytes) {
    return invalid_input("the line has " + std::to_string(line.size()) +
                         " bytes; max_line_bytes is " + std::to_string(limits.max_line_bytes));
  }
  return read_json(line, {.subject = "the line", .not_numbers = JsonRules::NotNumbers::kNull});
}

Result<std::string> read_text(const Json* value, const std::string& field) {
  if (value == nullptr) return missing(field);
  if (!value->is_string()) return wrong_value(field, *value, "a string");
  const auto& text = value->get_ref<const std::string&>();
  if (is_blank(text)) return invalid_input(field + " is empty");
  return text;
}

// ---- Query, history, id -----------------------------------------------------------------------

Result<Task> read_task(const Json& line) {
  const bool has_query = find(line, "query") != nullptr;
  const bool has_history = find(line, "history") != nullptr;
  const Json* task = find(line, "task");
  if (task == nullptr) {
    if (has_query && has_history) {
      return invalid_input("query and history are both there; task must choose one of them");
    }
    if (!has_query && !has_history) return invalid_input("query or history is missing");
    return has_query ? Task::kPassage : Task::kRecommendation;
  }
  const std::string expected = R"("passage" or "recommendation")";
  if (!task->is_string()) return wrong_value("task", *task, expected);
  const auto named = kTasks.parse("task", task->get_ref<const std::string&>());
  if (!named) return wrong_value("task", *task, expected);
  if (*named == Task::kPassage && !has_query) {
    return invalid_input("query is missing; the task \"passage\" needs it");
  }
  if (*named == Task::kRecommendation && !has_history) {
    return invalid_input("history is missing; the task \"recommendation\" needs it");
  }
  return *named;
}

Result<std::string> read_query(const Json& query) {
  if (query.is_object()) {
    const Json* text = find(query, "text");
    if (text != nullptr || find(query, "query") == nullptr) return read_text(text, "query.text");
    return read_text(find(query, "query"), "query.query");
  }
  if (!query.is_string()) return wrong_value("query", query, "a string or an object");
  return read_text(&query, "query");
}

// Blank titles say nothing of the user, and are left out.
Result<std::vector<std::string>> read_history(const Json& history) {
  if (!history.is_array()) return wrong_value("history", history, "an array of strings");
  if (history.empty()) return invalid_input("history is empty");
  std::vector<std::string> items;
  for (std::size_t i = 0; i < history.size(); ++i) {
    auto item = read_words(history[i], "history[" + std::to_string(i) + "]");
    if (!item) return item.error();
    if (!item->empty()) items.push_back(*std::move(item));
  }
  if (!items.empty()) return items;
  return invalid_input("history has " + std::to_string(history.size()) +
                       " titles, and all of them are blank; one must say something");
}

// The list of candidates, under rank_llm's current or former name.
IdField candidate_list(const Json& line) {
  return first_id(line, {"candidates", "hits"});
}

// rank_llm's lines need no id; lines of the first shape do.
bool is_rank_llm(const Json& line) {
  const Json* query = find(line, "query");
  if (query != nullptr && query->is_object()) return true;
  const Json* candidates = candidate_list(line).value;
  if (candidates == nullptr || !candidates->is_array() || candidates->empty()) return false;
  const Json& first = candidates->front();
  return first.is_string() || find(first, "docid") != nullptr || find(first, "doc") != nullptr;
}

// nullopt if there is none.
Result<std::optional<std::string>> read_request_id(const Json& line) {
  std::vector<IdField> fields = query_id_fields(line);
  if (const Json* query = find(line, "query"); query != nullptr && query->is_object())
    std::ranges::move(query_id_fields(*query, "query."), std::back_inserter(fields));
  const IdField list = candidate_list(line);
  if (list.value != nullptr && list.value->is_array()) {
    for (std::size_t i = 0; i < list.value->size(); ++i) {
      fields.push_back({.value = find((*list.value)[i], "qid"),
                        .name = list.name + "[" + std::to_string(i) + "].qid"});
    }
  }
  return agreed_id(fields);
}

// ---- Candidates and relevance -----------------------------------------------------------------

// The text may be blank: corpora contain such documents, and retrieval returns them.
Result<std::string> read_own_text(const Json& candidate, const std::string& field) {
  const auto text = candidate.find("text");
  if (text == candidate.end()) return missing(field + ".text");
  return read_words(*text, field + ".text");
}

// A document's title and text, joined.
Result<std::string> read_document_text(const Json& document, const std::string& field) {
  if (document.is_string()) {
    const auto& text = document.get_ref<const std::string&>();
    return is_blank(text) ? std::string() : text;
  }
  if (!document.is_object()) return wrong_value(field, document, "a string or an object");
  const auto read = read_document(document, field);
  if (!read) return read.error();
  return joined(*read);
}

// The text of a candidate that is an object, in one of the shapes {"id", "text"}, {"docid", "doc"},
// or a document's fields with an id.
Result<std::string> read_candidate_text(const Json& value, const std::string& field) {
  if (const Json* document = find(value, "doc"))
    return read_document_text(*document, field + ".doc");
  if (find(value, "id") != nullptr && value.contains("text")) return read_own_text(value, field);
  if (has_document_fields(value)) return read_document_text(value, field);
  return find(value, "docid") != nullptr ? missing(field + ".doc") : read_own_text(value, field);
}

Result<std::string> read_candidate_id(const Json& value, const std::string& field) {
  auto id = agreed_id(document_id_fields(value, field + "."));
  if (!id) return id.error();
  if (*id) return **std::move(id);
  return missing(field + (find(value, "doc") != nullptr ? ".docid" : ".id"));
}

// Has it neither a text nor a document, so that its id has to do?
bool is_id_alone(const Json& candidate) {
  return candidate.is_object() && !candidate.contains("doc") && !has_document_fields(candidate);
}

Result<std::string> look_up(const RequestLimits::Texts& texts, const std::string& id,
                            const std::string& field) {
  auto text = texts(id);
  if (!text) return text.error().within(field);
  if (*text) return **std::move(text);
  return invalid_input(field + " has no text, and its id \"" + shorten(id, kShownChars) +
                       "\" is not in the index");
}

Result<Candidate> read_candidate(const Json& value, std::size_t place, const std::string& list,
                                 const RequestLimits::Texts& texts) {
  const std::string field = list + "[" + std::to_string(place) + "]";
  if (!value.is_string() && !value.is_object()) {
    return wrong_value(field, value, "a string or an object");
  }
  auto id = value.is_string() ? std::to_string(place + 1) : read_candidate_id(value, field);
  if (!id) return id.error();
  auto text = value.is_string()             ? read_document_text(value, field)
              : texts && is_id_alone(value) ? look_up(texts, *id, field)
                                            : read_candidate_text(value, field);
  if (!text) return text.error();
  const Json* score = find(value, "score");
  if (score != nullptr && !score->is_number()) {
    return wrong_value(field + ".score", *score, "a number");
  }
  Candidate candidate;
  candidate.id = std::move(id).value();
  candidate.text = std::move(text).value();
  if (score != nullptr) candidate.first_stage_score = score->get<double>();
  return candidate;
}

Result<std::vector<Candidate>> read_candidates(const Json& line, const RequestLimits& limits) {
  const std::size_t max_candidates = limits.max_candidates;
  const auto [list, name] = candidate_list(line);
  if (list == nullptr) return missing("candidates");
  if (!list->is_array()) return wrong_value(name, *list, "an array");
  if (list->empty()) return invalid_input(name + " is empty");
  if (list->size() > max_candidates) {
    return invalid_input(name + " has " + std::to_string(list->size()) +
                         " entries; max_candidates is " + std::to_string(max_candidates));
  }
  std::vector<Candidate> candidates;
  std::unordered_map<std::string, std::size_t> places;
  for (const Json& value : *list) {
    const std::size_t place = candidates.size();
    auto candidate = read_candidate(value, place, name, limits.texts);
    if (!candidate) return candidate.error();
    const auto [earlier, is_new] = places.emplace(candidate->id, place);
    if (!is_new) {
      return invalid_input("the id \"" + shorten(candidate->id, kShownChars) + "\" of " + name +
                           "[" + std::to_string(place) + "] is the id of " + name + "[" +
                           std::to_string(earlier->second) + "] already");
    }
    candidates.push_back(std::move(candidate).value());
  }
  if (std::ranges::all_of(candidates, &std::string::empty, &Candidate::text)) {
    return invalid_input(name + " has " + std::to_string(candidates.size()) +
                         " entries, and all their texts are blank; one must say something");
  }
  return candidates;
}

Result<std::map<std::string, int>> read_relevance(const Json& line) {
  std::map<std::string, int> relevance;
  const Json* grades = find(line, "relevance");
  if (grades == nullptr) return relevance;
  if (!grades->is_object()) return wrong_value("relevance", *grades, "an object");
  using Limits = std::numeric_limits<int>;
  for (const auto& [id, value] : grades->items()) {
    const double grade = value.is_number() ? value.get<double>() : 0.5;  // a double can hold every
                                                                         // int
    if (grade != std::trunc(grade) || grade < Limits::min() || grade > Limits::max()) {
      return wrong_value("relevance[\"" + shorten(id, kShownChars) + "\"]", value,
                         "an integer between " + std::to_string(Limits::min()) + " and " +
                             std::to_string(Limits::max()));
    }
    relevance.emplace(id, static_cast<int>(grade));
  }
  return relevance;
}

}  // namespace

Result<Request> parse_request(std::string_view line, const std::string& fallback_id,
                              const RequestLimits& limits) {
  const auto json = parse_json(line, limits);
  if (!json) return json.error();
  if (!json->is_object()) return wrong_value("the line", *json, "a JSON object");

  const auto task = read_task(*json);
  if (!task) return task.error();
  Request request;
  request.task = *task;
  if (*task == Task::kPassage) {
    auto query = read_query(*find(*json, "query"));
    if (!query) return query.error();
    request.query = std::move(query).value();
  } else {
    auto history = read_history(*find(*json, "history"));
    if (!history) return history.error();
    request.history = std::move(history).value();
  }
  auto id = read_request_id(*json);
  if (!id) return id.error();
  const bool needs_id = limits.without_id == RequestLimits::WithoutId::kError;
  if (!*id && needs_id && !is_rank_llm(*json)) return missing("id");
  auto candidates = read_candidates(*json, limits);
  if (!candidates) return candidates.error();
  auto relevance = read_relevance(*json);
  if (!relevance) return relevance.error();
  request.id = id->value_or(fallback_id);
  request.candidates = std::move(candidates).value();
  request.relevance = std::move(relevance).value();
  return request;
}

std::optional<std::string> request_id(std::string_view line) {
  const auto json = read_json(line, {.not_numbers = JsonRules::NotNumbers::kNull});
  if (!json || !json->is_object()) return std::nullopt;
  auto id = read_request_id(*json);
  return id ? *std::move(id) : std::nullopt;
}

}  // namespace rsd
