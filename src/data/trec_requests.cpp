#include "rsd/data/trec_requests.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "data/lines.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

using Json = nlohmann::ordered_json;

Error invalid(const std::string& message) {
  return {ErrorCode::kInvalidInput, message};
}

template <class Number>
Result<Number> parse_number(const char* what, std::string_view text) {
  Number number{};
  const bool has_plus = text.starts_with('+') && !text.starts_with("+-");  // from_chars takes none
  const auto read =
      std::from_chars(text.data() + (has_plus ? 1 : 0), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() ||
      !std::isfinite(static_cast<double>(number)))
    return invalid(std::string(what) + " " + in_quotes(text) + " is no number");
  return number;
}

// ---- The run ----------------------------------------------------------------------------------

struct Retrieved {
  std::string document;
  double score = 0;
  long rank = 0;
};

struct Topic {
  std::string id;
  std::vector<Retrieved> documents;
};

class Run {
 public:
  static Result<Run> read(const std::string& path, std::optional<std::size_t> depth) {
    Run run;
    auto read = for_each_line(path, [&](std::string_view line) { return run.add(line); });
    if (!read) return read.error();
    for (Topic& topic : run.topics_) {
      std::ranges::stable_sort(topic.documents, [](const Retrieved& a, const Retrieved& b) {
        return a.score != b.score ? a.score > b.score : a.rank < b.rank;
      });
      if (depth && topic.documents.size() > *depth) topic.documents.resize(*depth);
    }
    return run;
  }

  const std::vector<Topic>& topics() const { return topics_; }

 private:
  Result<void> add(std::string_view line) {
    const auto fields = split_fields(line);
    if (fields.size() != 6) {
      return invalid(in_quotes(line) + " has " + std::to_string(fields.size()) +
                     " fields; it must have 6: qid, Q0, docid, rank, score, tag");
    }
    const auto rank = parse_number<long>("rank", fields[3]);
    if (!rank) return rank.error();
    const auto score = parse_number<double>("score", fields[4]);
    if (!score) return score.error();
    const auto [place, is_new] = places_.emplace(fields[0], topics_.size());
    if (is_new) topics_.push_back({.id = std::string(fields[0]), .documents = {}});
    if (!seen_.emplace(place->second, fields[2]).second) {
      return invalid("document " + in_quotes(fields[2]) + " of topic " + in_quotes(fields[0]) +
                     " was retrieved by an earlier line");
    }
    topics_[place->second].documents.push_back(
        {.document = std::string(fields[2]), .score = *score, .rank = *rank});
    return {};
  }

  std::vector<Topic> topics_;
  std::unordered_map<std::string, std::size_t> places_;
  std::set<std::pair<std::size_t, std::string>> seen_;
};

// ---- Topics and documents: a table of `id<tab>text`, or JSON lines -----------------------------

std::string trimmed(std::string_view text) {
  return single_line(text);
}

bool is_blank(const Json& text) {
  return trimmed(text.get_ref<const std::string&>()).empty();
}

Result<std::string> id_in(const Json& line, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto id = line.find(key);
    if (id == line.end()) continue;
    if (id->is_number_integer()) return id->dump();
    if (id->is_string() && !id->get_ref<const std::string&>().empty())
      return id->get<std::string>();
    return invalid(std::string(key) + " must be a string or an integer");
  }
  return invalid("it has no id: none of " + std::string(*keys.begin()) + ", … is there");
}

Result<Json> parse_object(std::string_view line) {
  Json object = Json::parse(line, nullptr, false);
  if (!object.is_object()) return invalid(in_quotes(line) + " is no JSON object");
  return object;
}

struct Entry {
  std::string id;
  Json text;  // a string, or a document with title and text
};

Result<Entry> parse_row(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos || tab == 0)
    return invalid(in_quotes(line) + " is neither JSON nor an id, a tab and a text");
  if (line.find('\t', tab + 1) != std::string_view::npos)
    return invalid(in_quotes(line) + " has more than two columns: an id and a text are wanted");
  return Entry{.id = trimmed(line.substr(0, tab)), .text = line.substr(tab + 1)};
}

Result<Entry> parse_topic(std::string_view line) {
  if (!line.starts_with('{')) {
    auto row = parse_row(line);
    if (row && is_blank(row->text)) return invalid("topic " + in_quotes(row->id) + " has no text");
    return row;
  }
  const auto object = parse_object(line);
  if (!object) return object.error();
  auto id = id_in(*object, {"_id", "id", "qid"});
  if (!id) return id.error();
  for (const char* key : {"text", "query", "title"}) {
    const auto text = object->find(key);
    if (text != object->end() && text->is_string() && !is_blank(*text))
      return Entry{.id = *id, .text = *text};
  }
  return invalid("topic " + in_quotes(*id) + " has no text: none of text, query, title is there");
}

Result<Entry> parse_document(std::string_view line) {
  if (!line.starts_with('{')) return parse_row(line);
  auto object = parse_object(line);
  if (!object) return object.error();
  auto id = id_in(*object, {"_id", "id", "docid"});
  if (!id) return id.error();
  return Entry{.id = *std::move(id), .text = *std::move(object)};
}

// Corpora hold documents without a text, and runs retrieve them all the same: they keep their place
// among the candidates. A document whose text has another name isn't one of them.
Json text_or_placeholder(const Json& document) {
  constexpr const char* kPlaceholder = "(empty)";
  if (document.is_string()) return is_blank(document) ? Json(kPlaceholder) : document;
  bool any = false;
  for (const char* key : {"title", "text", "segment", "contents", "content", "body", "passage"}) {
    const auto part = document.find(key);
    if (part == document.end() || part->is_null()) continue;
    if (!part->is_string() || !is_blank(*part)) return document;
    any = true;
  }
  return any ? Json(kPlaceholder) : document;
}

// Where `tag`, in small letters, stands in letters of any size.
std::size_t find_tag(std::string_view text, std::string_view tag, std::size_t from = 0) {
  const auto small = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto found = std::ranges::search(text.substr(from), tag, {}, small);
  return found.empty() ? std::string_view::npos
                       : static_cast<std::size_t>(found.begin() - text.begin());
}

// The text behind an element's tag, up to the next tag or the end of what is there.
std::string element(std::string_view top, std::string_view tag, std::string_view label) {
  const std::size_t at = find_tag(top, tag);
  if (at == std::string_view::npos) return "";
  std::string_view text = top.substr(at + tag.size());
  text = text.substr(0, text.find('<'));
  std::string value = trimmed(text);
  if (value.starts_with(label)) value = trimmed(std::string_view(value).substr(label.size()));
  return value;
}

using Texts = std::unordered_map<std::string, Json>;

Result<void> add(Texts& texts, Entry entry, const char* what) {
  const auto [place, is_new] = texts.emplace(std::move(entry.id), std::move(entry.text));
  if (is_new) return {};
  return invalid(std::string(what) + " " + in_quotes(place->first) + " stands twice");
}

// TREC's <top> elements, of a file that is small enough to be held. What stands around them, such
// as an XML declaration, is passed over.
class TopElements {
 public:
  Result<void> take(std::string_view line, Texts& topics) {
    constexpr std::string_view kEnd = "</top>";
    text_ += std::string(line) + "\n";
    while (true) {
      const std::size_t begin = find_tag(text_, kBegin);
      const std::size_t end = begin == std::string::npos ? begin : find_tag(text_, kEnd, begin);
      if (end == std::string::npos) break;
      const std::string top = text_.substr(begin, end - begin);
      text_.erase(0, end + kEnd.size());
      const std::string id = element(top, "<num>", "Number:");
      const std::string title = element(top, "<title>", "Topic:");
      if (id.empty() || title.empty())
        return invalid("the topic that ends here has no <num> or no <title>");
      if (auto added = add(topics, {.id = id, .text = title}, "topic"); !added) return added;
    }
    return {};
  }
  // Is a topic left that didn't end?
  bool is_open() const { return find_tag(text_, kBegin) != std::string::npos; }

 private:
  static constexpr std::string_view kBegin = "<top>";
  std::string text_;
};

Result<Texts> read_topics(const std::string& path) {
  Texts topics;
  std::optional<TopElements> elements;
  bool is_first = true;
  auto read = for_each_line(path, [&](std::string_view line) -> Result<void> {
    if (std::exchange(is_first, false) && trimmed(line).starts_with('<')) elements.emplace();
    if (elements) return elements->take(line, topics);
    auto topic = parse_topic(line);
    if (!topic) return topic.error();
    return add(topics, *std::move(topic), "topic");
  });
  if (!read) return read.error();
  if (elements && elements->is_open()) return invalid(path + ": the last <top> has no </top>");
  if (elements && topics.empty()) return invalid(path + ": has no <top>");
  return topics;
}

Result<Texts> read_documents(const std::vector<std::string>& paths, const Run& run) {
  std::set<std::string> wanted;
  for (const Topic& topic : run.topics())
    for (const Retrieved& retrieved : topic.documents)
      wanted.insert(retrieved.document);
  Texts documents;
  for (const std::string& path : paths) {
    auto read = for_each_line(path, [&](std::string_view line) -> Result<void> {
      auto document = parse_document(line);
      if (!document) return document.error();
      if (!wanted.contains(document->id)) return {};
      return add(documents, *std::move(document), "document");
    });
    if (!read) return read.error();
  }
  return documents;
}

}  // namespace

Result<std::string> trec_request_lines(const TrecFiles& files) {
  const auto run = Run::read(files.run, files.depth);
  if (!run) return run.error();
  const auto topics = read_topics(files.topics);
  if (!topics) return topics.error();
  const auto documents = read_documents(files.corpus, *run);
  if (!documents) return documents.error();
  std::string lines;
  for (const Topic& topic : run->topics()) {
    const auto query = topics->find(topic.id);
    if (query == topics->end()) {
      return invalid(files.run + ": topic " + in_quotes(topic.id) + " is not in " + files.topics);
    }
    Json candidates = Json::array();
    for (const Retrieved& retrieved : topic.documents) {
      const auto document = documents->find(retrieved.document);
      if (document == documents->end()) {
        return invalid(files.run + ": document " + in_quotes(retrieved.document) + " of topic " +
                       in_quotes(topic.id) + " is not in the corpus");
      }
      candidates.push_back({{"docid", retrieved.document},
                            {"score", retrieved.score},
                            {"doc", text_or_placeholder(document->second)}});
    }
    const Json request{{"query", {{"text", query->second}, {"qid", topic.id}}},
                       {"candidates", std::move(candidates)}};
    lines += request.dump() + "\n";
  }
  return lines;
}

}  // namespace rsd
