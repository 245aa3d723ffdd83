// A line of a request file, and the answer to it.
#include <cstddef>
#include <set>
#include <string>

#include "fuzz/target.h"
#include "rsd/data/answer.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/request_reader.h"
#include "rsd/rank/request.h"

namespace rsd::fuzz {
namespace {

constexpr std::size_t kMaxCandidates = 50;

// What the rest of rsd relies on.
void require_sound(const Request& request) {
  require(!request.id.empty(), "a request has an id");
  require(!request.candidates.empty() && request.candidates.size() <= kMaxCandidates,
          "a request has 1 to max_candidates candidates");
  std::set<std::string> ids;
  for (const Candidate& candidate : request.candidates)
    require(ids.insert(candidate.id).second, "candidates have different ids");
  const bool has_subject =
      request.task == Task::kPassage ? !request.query.empty() : !request.history.empty();
  require(has_subject, "a request has a query or a history");
  require(is_value(complete(request)), "what was read is a request for programs, too");
}

void require_answerable(const Request& request) {
  const std::size_t n_items = request.candidates.size();
  Answer answer{.ranking = Ranking::identity(n_items), .decoder = "ar"};
  for (std::size_t n = 0; n < n_items; ++n) {
    answer.relevance.push_back(1.0 / static_cast<double>(n + 1));
    answer.raw_relevance.push_back(-static_cast<double>(n));
  }
  const auto line = format_answer(AnswerFormat::kJsonl, request, answer, "tag");
  require(is_value(line), "the answer to what was read can be written");
  require(line->find('\n') == line->size() - 1, "an answer is one line");
  (void)is_value(format_answer(AnswerFormat::kTrec, request, answer, "tag"));
  (void)is_value(format_answer(AnswerFormat::kTable, request, answer, "tag"));
}

}  // namespace

void take_input(std::string_view input) {
  const auto request = parse_request(
      input, "7",
      {.max_candidates = kMaxCandidates, .without_id = RequestLimits::WithoutId::kFallback});
  const auto id = request_id(input);
  if (!is_value(request)) return;
  require_sound(*request);
  require(request->id == id.value_or("7"), "the id is that of request_id, or the fallback");
  require_answerable(*request);
}

}  // namespace rsd::fuzz
