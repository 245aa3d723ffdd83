// An answer as programs in C see it: plain arrays, which it owns.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bindings/c/rsd.h"
#include "rsd/data/answer.h"

// Immutable once it is made.
struct rsd_answer {
  // The encodings of one prompt, and where they stand among all of them.
  struct RoundPlace {
    std::size_t part = 0;
    std::size_t round = 0;
    std::vector<std::size_t> proposal{};  // candidates by index
  };

  // `candidate_ids` has one id per candidate.
  rsd_answer(rsd::Answer given, std::vector<std::string> candidate_ids);

  rsd::Answer answer;
  std::vector<std::string> ids;     // by candidate
  std::vector<std::size_t> order;   // [K] by position
  std::vector<std::size_t> listed;  // positions
  std::vector<std::vector<std::size_t>> part_items;
  std::vector<RoundPlace> rounds;
};
