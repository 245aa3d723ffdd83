#include "data/columns.h"

#include <algorithm>
#include <array>

namespace rsd {
namespace {

constexpr std::array<std::string_view, 12> kIdNames = {"id",       "_id",   "qid",    "query_id",
                                                       "query-id", "docid", "doc_id", "docno",
                                                       "pid",      "topic", "number", "passage_id"};
// The first column found is the text, so a title is the text only if there is no other.
constexpr std::array<std::string_view, 9> kTextNames = {
    "text", "segment", "contents", "content", "body", "passage", "query", "question", "title"};

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small;
}

}  // namespace

bool is_query_column(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {"query-id", "query_id", "qid",
                                                      "queryid",  "topic",    "query"};
  return std::ranges::find(kNames, in_small_letters(name)) != kNames.end();
}

std::vector<std::string_view> split_tabs(std::string_view line) {
  std::vector<std::string_view> columns;
  for (;;) {
    const std::size_t tab = line.find('\t');
    columns.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return columns;
    line.remove_prefix(tab + 1);
  }
}

std::optional<Columns> Columns::named(std::string_view header) {
  std::vector<std::string> names;
  for (const std::string_view name : split_tabs(header))
    names.push_back(in_small_letters(name));
  const auto place_of = [&](const auto& wanted) -> std::optional<std::size_t> {
    for (const std::string_view name : wanted) {
      const auto found = std::ranges::find(names, name);
      if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    }
    return std::nullopt;
  };
  const auto id = place_of(kIdNames);
  const auto text = place_of(kTextNames);
  if (!id || !text) return std::nullopt;
  auto title = place_of(std::array<std::string_view, 1>{"title"});
  if (title == text) title.reset();
  return Columns{.id = *id, .text = *text, .title = title, .count = names.size()};
}

std::optional<Columns> Columns::of_documents(std::size_t count) {
  if (count == 2) return Columns{};
  if (count == 3) return Columns{.id = 0, .text = 1, .title = 2, .count = 3};
  if (count == 4) return Columns{.id = 0, .text = 3, .title = 2, .count = 4};
  return std::nullopt;
}

}  // namespace rsd
