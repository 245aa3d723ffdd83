// A ranking request: a query or a history, and the candidates.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

enum class Task { kPassage, kRecommendation };

struct Candidate {
  std::string id{};                           // unique within the request
  std::string text{};                         // UTF-8; blank ones are ranked last
  std::optional<double> first_stage_score{};  // of the retriever, where it is known
};

// One ranking problem. A plain value; the readers of files and bodies check it
// (data/request_reader.h), and so does Ranker (complete()).
struct Request {
  std::string id{};
  Task task = Task::kPassage;
  std::string query{};                  // Task::kPassage
  std::vector<std::string> history{};   // Task::kRecommendation: what the user liked, oldest first
  std::vector<Candidate> candidates{};  // in first-stage order
  // Graded relevance by candidate id; an id that is not among the candidates is a judged item the
  // first stage missed, a candidate without an entry is unjudged.
  std::map<std::string, int> relevance{};
};

// Fills in what a program may leave out: candidates without ids get their places, from 0, as ids; a
// request with a history and no query is a recommendation. Blank titles of a history are left out.
// kInvalidInput: no candidates, neither a query nor a history, two candidates with one id, or text
// that isn't UTF-8; the message names field, place and value.
Result<Request> complete(Request request);

}  // namespace rsd
