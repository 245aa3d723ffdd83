#include "data/trec_run.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "data/columns.h"
#include "data/lines.h"

namespace rsd {
namespace {

Result<double> parse_number(const char* what, std::string_view text) {
  double number = 0;
  const bool has_plus = text.starts_with('+') && !text.starts_with("+-");  // from_chars accepts no
                                                                           // plus sign
  const auto read =
      std::from_chars(text.data() + (has_plus ? 1 : 0), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(number))
    return invalid_input(std::string(what) + " " + in_quotes(text) + " is no number");
  return number;
}

// Parses TREC's six columns, of which the last, the run's name, may have several words, or MS
// MARCO's three: qid, docid, rank.
Result<Retrieved> parse_line(const TextLine& line, const std::vector<std::string_view>& fields) {
  constexpr std::size_t kTrecFields = 6;
  constexpr std::size_t kMsMarcoFields = 3;
  const bool is_trec = fields.size() >= kTrecFields;
  if (!is_trec && fields.size() != kMsMarcoFields) {
    return invalid_input(
        in_quotes(line.text) + " has " + std::to_string(fields.size()) +
        " fields; it must have 6: qid, Q0, docid, rank, score, tag, or 3: qid, docid, " + "rank");
  }
  // As a floating-point number: programs with tables of such numbers write 1.0.
  const auto rank = parse_number("rank", fields[is_trec ? 3 : 2]);
  if (!rank) return rank.error();
  Retrieved retrieved{.document = std::string(fields[is_trec ? 2 : 1]),
                      .score = std::nullopt,
                      .rank = *rank,
                      .line = line.number};
  if (!is_trec) return retrieved;
  const auto score = parse_number("score", fields[4]);
  if (!score) return score.error();
  retrieved.score = *score;
  return retrieved;
}

// A line of columns' names, which stands first.
bool names_columns(const TextLine& line, const std::vector<std::string_view>& fields) {
  return line.number == 1 && is_query_column(fields.front()) && !parse_line(line, fields);
}

class Run {
 public:
  explicit Run(std::string path) : path_(std::move(path)) {}

  void add(const TextLine& line) {
    const auto fields = split_fields(line.text);
    if (names_columns(line, fields)) return;
    const auto [place, is_new] = places_.emplace(fields[0], topics_.size());
    if (is_new) {
      topics_.push_back({.id = place->first, .documents = {}, .fault = std::nullopt});
      seen_.emplace_back();
    }
    RetrievedTopic& topic = topics_[place->second];
    auto retrieved = parse_line(line, fields);
    if (retrieved && !seen_[place->second].insert(retrieved->document).second) {
      retrieved = invalid_input("document " + in_quotes(retrieved->document) + " of topic " +
                                in_quotes(topic.id) + " was retrieved by an earlier line");
    }
    if (retrieved) {
      topic.documents.push_back(*std::move(retrieved));
    } else if (!topic.fault) {
      topic.fault = retrieved.error().within(path_ + ":" + std::to_string(line.number));
    }
  }

  std::vector<RetrievedTopic> take(std::optional<std::size_t> depth) {
    for (RetrievedTopic& topic : topics_) {
      std::ranges::stable_sort(topic.documents, [](const Retrieved& a, const Retrieved& b) {
        return a.score != b.score ? a.score > b.score : a.rank < b.rank;
      });
      if (depth && topic.documents.size() > *depth) topic.documents.resize(*depth);
    }
    return std::move(topics_);
  }

 private:
  std::string path_;
  std::vector<RetrievedTopic> topics_;
  std::unordered_map<std::string, std::size_t> places_;
  std::vector<std::unordered_set<std::string>> seen_;  // documents, by the index of their topic
};

}  // namespace

Result<std::vector<RetrievedTopic>> read_run(const std::string& path,
                                             std::optional<std::size_t> depth) {
  Run run(path);
  auto read = for_each_line(path, [&](const TextLine& line) -> Result<void> {
    run.add(line);
    return {};
  });
  if (!read) return read.error();
  return run.take(depth);
}

}  // namespace rsd
