#include "rsd/data/answer.h"

namespace rsd {

std::vector<Position> listed_positions(const Answer& answer) {
  std::vector<Position> listed;
  listed.reserve(answer.ranking.size());
  const bool leaves_out = answer.min_score && answer.relevance_is_probability;
  for (std::size_t p = 0; p < answer.ranking.size(); ++p)
    if (!leaves_out || answer.relevance[p] >= *answer.min_score) listed.emplace_back(p);
  return listed;
}

}  // namespace rsd
