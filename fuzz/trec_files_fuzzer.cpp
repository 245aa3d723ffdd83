// A TREC run, its topics, and a corpus of two files.
#include <algorithm>
#include <cstddef>
#include <string>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/trec_requests.h"

namespace rsd::fuzz {

void take_input(std::string_view input) {
  const auto parts = parts_of(input, 4);
  const MemoryFile run(parts[0]);
  const MemoryFile topics(parts[1]);
  const MemoryFile corpus(parts[2]);
  const MemoryFile more_corpus(parts[3]);
  TrecFiles files{.run = run.path(), .topics = topics.path(), .corpus = {corpus.path()}};
  if (!parts[3].empty()) files.corpus.push_back(more_corpus.path());
  const auto lines = trec_request_lines(files);
  if (!is_value(lines)) return;
  for (const Error& failure : lines->failures)
    require_message(failure.message());
  const auto n_lines = static_cast<std::size_t>(std::ranges::count(lines->text, '\n'));
  require(n_lines == lines->n_requests && n_lines > 0, "each request has a line");
  for (std::size_t at = 0; at < lines->text.size();) {
    const std::size_t end = lines->text.find('\n', at);
    const auto request = parse_request(std::string_view(lines->text).substr(at, end - at), "7");
    require(is_value(request), "a line that was made is a request");
    at = end + 1;
  }
}

}  // namespace rsd::fuzz
