// parse_request: a line of JSON becomes a checked `Request`.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/names.h"
#include "data/shorten.h"
#include "rsd/core/utf8.h"
#include "rsd/data/request_reader.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kShownChars = 60;
constexpr std::array kTextKeys = {"text", "segment", "contents", "content", "body", "passage"};
constexpr NameTable<Task, 2> kTasks = {
    {{{Task::kPassage, "passage"}, {Task::kRecommendation, "recommendation"}}}};

// ---- Errors: the field, its value, what it must be -------------------------------------------

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidInput, message};
}

Error missing(const std::string& field) {
  return invalid(field + " is missing");
}

Error wrong_value(const std::string& field, const Json& value, const std::string& expected) {
  const std::string dump = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return invalid(field + " is " + shorten(dump, kShownChars) + "; it must be " + expected);
}

// nlohmann's message without its own prefix and without the token, which may be the whole line.
Error broken_json(std::string_view line, const Json::exception& exception) {
  std::string reason = exception.what();
  for (const std::string_view end_of_prefix : {"] ", ": "}) {
    const std::size_t at = reason.find(end_of_prefix);
    if (at != std::string::npos) reason.erase(0, at + end_of_prefix.size());
  }
  reason.resize(std::min(reason.find("; last read"), reason.size()));
  std::string place;
  if (const auto* parse_error = dynamic_cast<const Json::parse_error*>(&exception)) {
    place = " at byte " + std::to_string(std::min(parse_error->byte, line.size()));
  }
  // Outside of strings a character may have been read by half.
  const auto half_read = find_invalid_utf8(reason);
  return invalid("broken JSON" + place + " of the line: " +
                 shorten(std::string_view(reason).substr(0, half_read.value_or(reason.size())),
                         2 * kShownChars));
}

// ---- JSON values ------------------------------------------------------------------------------

// Offset of the bracket that nests too deep. Visiting and printing a JSON value recurse, so depth
// is limited before there is one.
std::optional<std::size_t> find_too_deep(std::string_view json) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kMaxDepth) return i;
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return std::nullopt;
}

Result<Json> parse_json(std::string_view line, const RequestLimits& limits) {
  if (line.size() > limits.max_line_bytes) {
    return invalid("the line has " + std::to_string(line.size()) + " bytes; max_line_bytes is " +
                   std::to_string(limits.max_line_bytes));
  }
  if (const auto offset = find_invalid_utf8(line)) {
    return invalid("invalid UTF-8 at byte offset " + std::to_string(*offset) + " of the line");
  }
  if (const auto offset = find_too_deep(line)) {
    return invalid("the JSON nests deeper than " + std::to_string(kMaxDepth) +
                   " levels at byte offset " + std::to_string(*offset) + " of the line");
  }
  try {
    return Json::parse(line);
  } catch (const Json::exception& exception) {
    return broken_json(line, exception);
  }
}

// The member, or null where it is absent or is JSON's null: exporters write both for "none". A
// value that is no object has no members.
const Json* find(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

bool is_blank(std::string_view text) {
  // Most texts start with a letter: no need to go through all of them.
  const auto is_printable = [](char c) { return c > ' ' && c < '\x7f'; };
  return std::ranges::none_of(text, is_printable) && single_line(text).empty();
}

Result<std::string> read_text(const Json* value, const std::string& field) {
  if (value == nullptr) return missing(field);
  if (!value->is_string()) return wrong_value(field, *value, "a string");
  const auto& text = value->get_ref<const std::string&>();
  if (is_blank(text)) return invalid(field + " is empty");
  return text;
}

Result<std::string> read_id(const Json* value, const std::string& field) {
  if (value != nullptr && value->is_number_integer()) return value->dump();
  if (value != nullptr && !value->is_string()) {
    return wrong_value(field, *value, "a string or an integer");
  }
  return read_text(value, field);
}

// ---- Query, history, id -----------------------------------------------------------------------

Result<Task> read_task(const Json& line) {
  const bool has_query = find(line, "query") != nullptr;
  const bool has_history = find(line, "history") != nullptr;
  const Json* task = find(line, "task");
  if (task == nullptr) {
    if (has_query && has_history) {
      return invalid("query and history are both there; task must tell which of them is meant");
    }
    if (!has_query && !has_history) return invalid("query or history is missing");
    return has_query ? Task::kPassage : Task::kRecommendation;
  }
  const std::string expected = R"("passage" or "recommendation")";
  if (!task->is_string()) return wrong_value("task", *task, expected);
  const auto named = kTasks.parse("task", task->get_ref<const std::string&>());
  if (!named) return wrong_value("task", *task, expected);
  if (*named == Task::kPassage && !has_query) {
    return invalid("query is missing; the task \"passage\" needs it");
  }
  if (*named == Task::kRecommendation && !has_history) {
    return invalid("history is missing; the task \"recommendation\" needs it");
  }
  return *named;
}

Result<std::string> read_query(const Json& query) {
  if (query.is_object()) return read_text(find(query, "text"), "query.text");
  if (!query.is_string()) return wrong_value("query", query, "a string or an object");
  return read_text(&query, "query");
}

Result<std::vector<std::string>> read_history(const Json& history) {
  if (!history.is_array()) return wrong_value("history", history, "an array of strings");
  if (history.empty()) return invalid("history is empty");
  std::vector<std::string> items;
  for (const Json& entry : history) {
    auto item = read_text(&entry, "history[" + std::to_string(items.size()) + "]");
    if (!item) return item.error();
    items.push_back(std::move(item).value());
  }
  return items;
}

// rank_llm's lines may go without an id, ours may not.
bool is_rank_llm(const Json& line) {
  const Json* query = find(line, "query");
  if (query != nullptr && query->is_object()) return true;
  const Json* candidates = find(line, "candidates");
  if (candidates == nullptr || !candidates->is_array() || candidates->empty()) return false;
  const Json& first = candidates->front();
  return first.is_string() || find(first, "docid") != nullptr || find(first, "doc") != nullptr;
}

Result<std::string> read_request_id(const Json& line, const std::string& fallback_id) {
  const Json* query = find(line, "query");
  if (query != nullptr && query->is_object()) {
    if (const Json* qid = find(*query, "qid")) return read_id(qid, "query.qid");
  }
  const Json* id = find(line, "id");
  if (id == nullptr && is_rank_llm(line)) return fallback_id;
  return read_id(id, "id");
}

// ---- Candidates and relevance -----------------------------------------------------------------

// The first text of a document that says something, behind its title; either may be missing.
Result<std::string> read_document(const Json* document, const std::string& field) {
  if (document == nullptr || document->is_string()) return read_text(document, field);
  if (!document->is_object()) return wrong_value(field, *document, "a string or an object");
  const auto read_part = [&](const char* key) -> Result<std::string> {
    const Json* part = find(*document, key);
    if (part == nullptr) return std::string();
    if (!part->is_string()) return wrong_value(field + "." + key, *part, "a string");
    const auto& text = part->get_ref<const std::string&>();
    return is_blank(text) ? std::string() : text;
  };

  auto title = read_part("title");
  if (!title) return title.error();
  for (const char* key : kTextKeys) {
    auto text = read_part(key);
    if (!text) return text.error();
    if (!text->empty()) return title->empty() ? *text : *title + ". " + *text;
  }
  if (title->empty()) {
    return invalid(field + " has no text: none of title, text, segment, contents, content, body, " +
                   "passage is there and not empty");
  }
  return title;
}

Result<Candidate> read_candidate(const Json& value, std::size_t place) {
  const std::string field = "candidates[" + std::to_string(place) + "]";
  if (!value.is_string() && !value.is_object()) {
    return wrong_value(field, value, "a string or an object");
  }
  const Json* document = find(value, "doc");
  const Json* score = find(value, "score");
  const bool rank_llm = document != nullptr || find(value, "docid") != nullptr;
  const char* id_key = rank_llm ? "docid" : "id";

  auto id = value.is_string() ? std::to_string(place + 1)
                              : read_id(find(value, id_key), field + "." + id_key);
  if (!id) return id.error();
  auto text = value.is_string() ? read_text(&value, field)
              : rank_llm        ? read_document(document, field + ".doc")
                                : read_text(find(value, "text"), field + ".text");
  if (!text) return text.error();
  if (score != nullptr && !score->is_number()) {
    return wrong_value(field + ".score", *score, "a number");
  }
  Candidate candidate;
  candidate.id = std::move(id).value();
  candidate.text = std::move(text).value();
  if (score != nullptr) candidate.first_stage_score = score->get<double>();
  return candidate;
}

Result<std::vector<Candidate>> read_candidates(const Json& line, std::size_t max_candidates) {
  const Json* list = find(line, "candidates");
  if (list == nullptr) return missing("candidates");
  if (!list->is_array()) return wrong_value("candidates", *list, "an array");
  if (list->empty()) return invalid("candidates is empty");
  if (list->size() > max_candidates) {
    return invalid("candidates has " + std::to_string(list->size()) +
                   " entries; max_candidates is " + std::to_string(max_candidates));
  }
  std::vector<Candidate> candidates;
  std::unordered_map<std::string, std::size_t> places;
  for (const Json& value : *list) {
    const std::size_t place = candidates.size();
    auto candidate = read_candidate(value, place);
    if (!candidate) return candidate.error();
    const auto [earlier, is_new] = places.emplace(candidate->id, place);
    if (!is_new) {
      return invalid("the id \"" + shorten(candidate->id, kShownChars) + "\" of candidates[" +
                     std::to_string(place) + "] is the id of candidates[" +
                     std::to_string(earlier->second) + "] already");
    }
    candidates.push_back(std::move(candidate).value());
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
    const double grade = value.is_number() ? value.get<double>() : 0.5;  // a double holds every int
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
  auto id = read_request_id(*json, fallback_id);
  if (!id) return id.error();
  auto candidates = read_candidates(*json, limits.max_candidates);
  if (!candidates) return candidates.error();
  auto relevance = read_relevance(*json);
  if (!relevance) return relevance.error();
  request.id = std::move(id).value();
  request.candidates = std::move(candidates).value();
  request.relevance = std::move(relevance).value();
  return request;
}

}  // namespace rsd
