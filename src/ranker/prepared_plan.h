// What a prepared request holds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rsd/ranker/ranker.h"
#include "rsd/window/list_request.h"

namespace rsd {

struct PreparedRequest::Plan {
  Request request;
  std::shared_ptr<const ListRequest> list;
  std::string decoder;
  Clock::time_point arrival;
  std::optional<double> min_score;
  bool keep_rounds = false;

  // Of an outcome about the whole request (ListRequest::complete), without rounds; scores are
  // ranks.
  Answer answer_of(const ListOutcome& ranked) const;
};

}  // namespace rsd
