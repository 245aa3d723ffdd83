// A ranking request: a query or a history, and the candidates.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

enum class Task { kPassage, kRecommendation };

struct Candidate {
  std::string id;                           // unique within the request
  std::string text;                         // UTF-8; blank ones are ranked last
  std::optional<double> first_stage_score;  // the retriever's, if the request has it
};

// One ranking problem. A plain value, validated by the reader (data/request_reader.h).
struct Request {
  std::string id;
  Task task = Task::kPassage;
  std::string query;                  // Task::kPassage
  std::vector<std::string> history;   // Task::kRecommendation: what the user liked, oldest first
  std::vector<Candidate> candidates;  // in first-stage order
  // Graded relevance by candidate id; an id that is not among the candidates is a judged item the
  // first stage missed, a candidate without an entry is unjudged.
  std::map<std::string, int> relevance;
};

}  // namespace rsd
