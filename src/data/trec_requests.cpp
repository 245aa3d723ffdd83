#include "rsd/data/trec_requests.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "data/trec_run.h"
#include "data/trec_texts.h"
#include "rsd/data/request_reader.h"

namespace rsd {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson to_json(const Document& document) {
  OrderedJson json = OrderedJson::object();
  if (!document.title.empty()) json["title"] = document.title;
  json["text"] = document.text;
  return json;
}

Result<OrderedJson> candidates_of(const RetrievedTopic& topic, const ById<Document>& documents,
                                  const std::string& run) {
  OrderedJson candidates = OrderedJson::array();
  for (const Retrieved& retrieved : topic.documents) {
    const auto document = documents.get(retrieved.document);
    if (!document) {
      return document.error()
          .within("topic \"" + topic.id + "\"")
          .within(run + ":" + std::to_string(retrieved.line));
    }
    OrderedJson candidate{{"docid", retrieved.document}};
    if (retrieved.score) candidate["score"] = *retrieved.score;
    candidate["doc"] = to_json(*document);
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

Result<std::string> line_of(const RetrievedTopic& topic, const ById<std::string>& topics,
                            const ById<Document>& documents, const std::string& run) {
  if (topic.fault) return *topic.fault;
  const auto query = topics.get(topic.id);
  if (!query) return query.error().within(run);
  auto candidates = candidates_of(topic, documents, run);
  if (!candidates) return candidates.error();
  const OrderedJson request{{"query", {{"text", *query}, {"qid", topic.id}}},
                            {"candidates", *std::move(candidates)}};
  std::string line = request.dump();
  if (const auto usable = parse_request(line, topic.id); !usable) {
    return usable.error()
        .within("topic \"" + topic.id + "\"")
        .within(run + ":" + std::to_string(topic.documents.front().line));
  }
  return line += '\n';
}

}  // namespace

Result<void> check(const TrecFiles& files) {
  const bool has_all = !files.run.empty() && !files.topics.empty() && !files.corpus.empty();
  const bool has_any =
      !files.run.empty() || !files.topics.empty() || !files.corpus.empty() || files.depth;
  if (has_all || !has_any) return {};
  return Error(ErrorCode::kInvalidArgument,
               "--run, --topics and --corpus go together, and --depth goes with them");
}

Result<TrecRequestLines> trec_request_lines(const TrecFiles& files) {
  const auto run = read_run(files.run, files.depth);
  if (!run) return run.error();
  if (run->empty()) return invalid_input(files.run + ": has no topics");  // a header at most
  const auto topics = read_topics(files.topics);
  if (!topics) return topics.error();
  std::unordered_set<std::string> wanted;
  for (const RetrievedTopic& topic : *run)
    for (const Retrieved& retrieved : topic.documents)
      wanted.insert(retrieved.document);
  const auto documents = read_documents(files.corpus, wanted);
  if (!documents) return documents.error();

  TrecRequestLines lines;
  for (const RetrievedTopic& topic : *run) {
    auto line = line_of(topic, *topics, *documents, files.run);
    if (line) {
      lines.text += *line;
      ++lines.n_requests;
    } else {
      lines.failures.push_back(line.error());
    }
  }
  if (lines.n_requests == 0) return lines.failures.front();
  return lines;
}

}  // namespace rsd
