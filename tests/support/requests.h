// Requests for tests.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "rsd/rank/request.h"

namespace rsd {

// Its id is "r", its candidates' ids are d0, d1, …
inline Request passage_request(std::string query, const std::vector<std::string>& texts) {
  Request request{.id = "r", .query = std::move(query)};
  for (const auto& text : texts)
    request.candidates.push_back(
        {.id = "d" + std::to_string(request.candidates.size()), .text = text});
  return request;
}

// The same with the texts "text 0", "text 1", …
inline Request numbered_request(std::size_t n_items, std::string query = "q") {
  std::vector<std::string> texts;
  texts.reserve(n_items);
  for (std::size_t i = 0; i < n_items; ++i)
    texts.push_back("text " + std::to_string(i));
  return passage_request(std::move(query), texts);
}

}  // namespace rsd
