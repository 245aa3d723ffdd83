#include "data/trec_texts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "data/columns.h"
#include "data/json_fields.h"
#include "data/topic_elements.h"
#include "json/read_json.h"
#include "rsd/core/utf8.h"
#include "rsd/data/corpus.h"

namespace rsd {
namespace {

using nlohmann::json;

Result<json> parse_object(std::string_view line) {
  auto object =
      read_json(line, {.subject = "the line", .not_numbers = JsonRules::NotNumbers::kNull});
  if (object && !object->is_object()) return invalid_input(in_quotes(line) + " is no JSON object");
  return object;
}

std::string place_of(const std::string& path, std::size_t line) {
  return path + ":" + std::to_string(line);
}

// ---- Topics -----------------------------------------------------------------------------------

class TopicReader {
 public:
  explicit TopicReader(const std::string& path) : path_(path), topics_("topic", path) {}

  Result<ById<std::string>> read() {
    auto read = for_each_line(path_, [this](const TextLine& line) { return take(line); },
                              {.arrays = RecordStream::Arrays::kHaveRecords,
                               .on_bad_line = [this](const Error& error) -> Result<void> {
                                 topics_.note(error);
                                 return {};
                               }});
    if (!read) return read.error();
    if (is_marked_up_) take_marked_up();
    if (topics_.size() == 0 && topics_.n_bad() == 0)
      return invalid_input(
          path_ + (is_marked_up_ ? ": has no <top>, <topic> or <query>" : ": has no topics"));
    return std::move(topics_);
  }

 private:
  // Fails only for a line without a readable id.
  Result<void> take(const TextLine& line) {
    const bool is_first = std::exchange(is_first_, false);
    const std::string_view text =
        line.text.substr(std::min(line.text.find_first_not_of(" \t"), line.text.size()));
    if (is_first && text.starts_with('<')) is_marked_up_ = true;
    if (is_marked_up_) {
      lines_.emplace_back(markup_.size(), line.number);
      markup_.append(line.text) += '\n';
      return {};
    }
    if (text.starts_with('{')) return take_object(line);
    if (is_first) columns_ = Columns::named(line.text);
    if (is_first && columns_) return {};
    return take_row(line);
  }

  Result<void> take_object(const TextLine& line) {
    const auto object = parse_object(line.text);
    if (!object) return object.error();
    std::vector<IdField> fields = query_id_fields(*object);
    fields.push_back({.value = find(*object, "number"), .name = "number"});
    const auto id = agreed_id(fields);
    if (!id) return id.error();
    if (!*id)
      return invalid_input("the topic has no id: none of id, _id, qid, query_id, topic_id, number");
    for (const char* key : {"text", "query", "title", "question", "description"}) {
      const json* text = find(*object, key);
      if (text == nullptr || !(text->is_string() || text->is_number())) continue;
      const std::string said = text->is_string() ? text->get<std::string>() : text->dump();
      if (is_blank(said)) continue;
      topics_.put(**id, said, place_of(path_, line.number));
      return {};
    }
    put(**id,
        invalid_input("topic " + in_quotes(**id) +
                      " has no text: none of text, query, title, question, "
                      "description is there and says something"),
        line.number);
    return {};
  }

  // A line with tabs, or an id and a text separated by white space or a colon, as in some tracks.
  Result<void> take_row(const TextLine& line) {
    auto cells = split_tabs(line.text);
    if (cells.size() == 1) {
      const std::size_t end = line.text.find_first_of(" :");
      if (end == 0 || end == std::string_view::npos)
        return invalid_input(in_quotes(line.text) + " is neither JSON nor an id, a tab and a text");
      cells = {line.text.substr(0, end), line.text.substr(end + 1)};
    }
    const Columns columns = columns_.value_or(Columns{});
    const std::string id =
        columns.id < cells.size() ? single_line(cells[columns.id]) : std::string();
    if (id.empty()) return invalid_input(in_quotes(line.text) + " has no id");
    if (cells.size() > columns.count) {
      put(id,
          invalid_input(in_quotes(line.text) + " has " + std::to_string(cells.size()) +
                        " columns; an id and a text are wanted, or a line of names before them"),
          line.number);
      return {};
    }
    const std::string text =
        columns.text < cells.size() ? single_line(cells[columns.text]) : std::string();
    put(id, text.empty() ? invalid_input("topic " + in_quotes(id) + " has no text") : Result(text),
        line.number);
    return {};
  }

  void take_marked_up() {
    for (const MarkedUpTopic& topic : marked_up_topics(markup_)) {
      const auto after = std::ranges::upper_bound(lines_, topic.offset, {},
                                                  &std::pair<std::size_t, std::size_t>::first);
      const std::size_t number = std::prev(after)->second;
      if (topic.id.empty()) {
        topics_.note(
            invalid_input(place_of(path_, number) + ": the topic has no <num> and no number"));
      } else {
        put(topic.id, topic.text, number);
      }
    }
  }

  void put(const std::string& id, const Result<std::string>& text, std::size_t line) {
    const std::string place = place_of(path_, line);
    if (text) {
      topics_.put(id, *text, place);
    } else {
      topics_.put_fault(id, text.error().within(place));
    }
  }

  const std::string& path_;
  ById<std::string> topics_;
  bool is_first_ = true;
  std::optional<Columns> columns_;  // if the file has a header
  bool is_marked_up_ = false;
  std::string markup_;
  std::vector<std::pair<std::size_t, std::size_t>> lines_;  // offset in markup_, number
};

// ---- Documents --------------------------------------------------------------------------------

// What the documents of a corpus are read for.
class DocumentSink {
 public:
  virtual ~DocumentSink() = default;
  virtual bool wants(const std::string& id) const = 0;
  // A document that is wanted, or why it can't be read. `place` is "<path>:<line>".
  virtual Result<void> take(const std::string& id, Result<Document> document,
                            const std::string& place) = 0;
  // A line without a readable id.
  virtual Result<void> note(const Error& error) = 0;
};

class CorpusReader {
 public:
  CorpusReader(const std::string& path, DocumentSink& documents)
      : path_(path), documents_(documents) {}

  Result<void> read() {
    return for_each_line(path_, [this](const TextLine& line) { return take(line); },
                         {.arrays = RecordStream::Arrays::kHaveRecords,
                          .on_bad_line = [this](const Error& error) -> Result<void> {
                            return failure_ ? Result<void>(*failure_) : documents_.note(error);
                          }});
  }

 private:
  Result<void> take(const TextLine& line) {
    const bool is_first = std::exchange(is_first_, false);
    const std::size_t begin = line.text.find_first_not_of(" \t");
    if (begin != std::string_view::npos && line.text[begin] == '{') return take_object(line);
    if (is_first) columns_ = Columns::named(line.text);
    if (is_first && columns_) return {};
    return take_row(line);
  }

  Result<void> take_object(const TextLine& line) {
    const auto object = parse_object(line.text);
    if (!object) return object.error();
    const auto fields = document_id_fields(*object);
    const auto id = agreed_id(fields);
    if (!id) {
      blame(fields, id.error(), line.number);
      return id.error();
    }
    if (!*id) {
      return invalid_input(
          "the document has no id: none of _id, id, pid, docid, doc_id, docno, "
          "passage_id is there");
    }
    if (documents_.wants(**id)) return put(**id, read_document(*object, ""), line.number);
    return {};
  }

  // Whoever asks for a document that may be this one learns why it isn't there.
  void blame(const std::vector<IdField>& fields, const Error& error, std::size_t line) {
    for (const IdField& field : fields) {
      if (field.value == nullptr) continue;
      const auto id = read_id(*field.value, field.name);
      if (id && documents_.wants(*id))
        (void)documents_.take(*id, error.within(place_of(path_, line)), place_of(path_, line));
    }
  }

  Result<void> take_row(const TextLine& line) {
    const auto cells = split_tabs(line.text);
    const auto columns = columns_ ? columns_ : Columns::of_documents(cells.size());
    const std::size_t id_place = columns ? columns->id : 0;
    const auto cell = [&](std::size_t place) {
      return place < cells.size() ? single_line(cells[place]) : std::string();
    };
    const std::string id = cell(id_place);
    if (documents_.wants(id)) return put(id, document_of(line.text, cells, columns), line.number);
    if (cells.size() == 1 || id.empty())
      return invalid_input(in_quotes(line.text) + " is neither JSON nor an id, a tab and a text");
    return {};
  }

  // A row with missing columns has lost trailing tabs before empty columns.
  static Result<Document> document_of(std::string_view line,
                                      const std::vector<std::string_view>& cells,
                                      const std::optional<Columns>& columns) {
    if (cells.size() == 1) return Document{};
    if (!columns || cells.size() > columns->count) {
      return invalid_input(
          in_quotes(line) + " has " + std::to_string(cells.size()) +
          " columns; wanted are id and text, id, text and title, or id, address, title "
          "and text, or a line of names before them");
    }
    const auto cell = [&](std::size_t place) {
      const bool says = place < cells.size() && !is_blank(cells[place]);
      return says ? std::string(cells[place]) : std::string();
    };
    return Document{.title = columns->title ? cell(*columns->title) : "",
                    .text = cell(columns->text)};
  }

  // What the sink refuses ends the reading.
  Result<void> put(const std::string& id, Result<Document> document, std::size_t line) {
    const std::string place = place_of(path_, line);
    if (!document) document = document.error().within("document " + in_quotes(id)).within(place);
    auto taken = documents_.take(id, std::move(document), place);
    if (!taken) failure_ = taken.error();
    return taken;
  }

  const std::string& path_;
  DocumentSink& documents_;
  std::optional<Error> failure_;
  bool is_first_ = true;
  std::optional<Columns> columns_;  // if the file has a header
};

// Those of some ids. A bad line is an error only where one of them is looked up.
class WantedDocuments final : public DocumentSink {
 public:
  explicit WantedDocuments(const std::unordered_set<std::string>& wanted) : wanted_(wanted) {}

  bool wants(const std::string& id) const override { return wanted_.contains(id); }
  Result<void> take(const std::string& id, Result<Document> document,
                    const std::string& place) override {
    if (document) {
      documents.put(id, *std::move(document), place);
    } else {
      documents.put_fault(id, document.error());
    }
    return {};
  }
  Result<void> note(const Error& error) override {
    documents.note(error);
    return {};
  }

  ById<Document> documents{"document", "the corpus"};

 private:
  const std::unordered_set<std::string>& wanted_;
};

// All of them, each of which has to be readable.
class EveryDocument final : public DocumentSink {
 public:
  explicit EveryDocument(const OnDocument& on_document) : on_document_(on_document) {}

  bool wants(const std::string& id) const override { return !id.empty(); }
  Result<void> take(const std::string& id, Result<Document> document,
                    const std::string& place) override {
    if (!document) return document.error();
    auto taken = on_document_({.id = id, .text = joined(*document)});
    return taken ? taken : Result<void>(taken.error().within(place));
  }
  Result<void> note(const Error& error) override { return error; }

 private:
  const OnDocument& on_document_;
};

}  // namespace

Result<void> for_each_document(const std::vector<std::string>& corpus,
                               const OnDocument& on_document) {
  EveryDocument documents(on_document);
  for (const std::string& path : corpus)
    if (auto read = CorpusReader(path, documents).read(); !read) return read;
  return {};
}

Result<ById<std::string>> read_topics(const std::string& path) {
  return TopicReader(path).read();
}

Result<ById<Document>> read_documents(const std::vector<std::string>& paths,
                                      const std::unordered_set<std::string>& wanted) {
  WantedDocuments sink(wanted);
  for (const std::string& path : paths) {
    if (auto read = CorpusReader(path, sink).read(); !read) return read.error();
  }
  return std::move(sink.documents);
}

}  // namespace rsd
