#include "rsd/data/answer.h"

#include <algorithm>

namespace rsd {

std::vector<Position> listed_positions(const Answer& answer) {
  std::vector<Position> listed;
  listed.reserve(answer.ranking.size());
  const bool leaves_out = answer.min_score && answer.relevance_is_probability;
  for (std::size_t p = 0; p < answer.ranking.size(); ++p)
    if (!leaves_out || answer.relevance[p] >= *answer.min_score) listed.emplace_back(p);
  return listed;
}

std::vector<double> listed_relevance(const Answer& answer) {
  std::vector<double> relevance;
  for (const Position position : listed_positions(answer))
    relevance.push_back(answer.relevance[position.slot()]);
  return relevance;
}

std::optional<bool> none_relevant(const Answer& answer) {
  if (!answer.relevance_is_probability || answer.relevance.empty()) return std::nullopt;
  return std::ranges::max(answer.relevance) < 0.5;
}

}  // namespace rsd
