#include "rsd/rank/agreement.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "rsd/core/check.h"

namespace rsd {
namespace {

void check_sizes(const Ranking& ranking, const Ranking& target) {
  RSD_CHECK(ranking.size() == target.size(), "rankings of different sizes are compared");
}

// Element j is the target position of the item at position j: the identity if the rankings agree.
std::vector<std::int64_t> target_positions(const Ranking& ranking, const Ranking& target) {
  check_sizes(ranking, target);
  const std::vector<Position> positions = target.positions();
  std::vector<std::int64_t> result;
  result.reserve(ranking.size());
  for (const ItemId item : ranking.items())
    result.push_back(positions[item.slot()].value());
  return result;
}

// Sum of (a-b)^2. Whole numbers until the last division keep the extremes (-1, 0, 1) exact.
std::int64_t squared_displacement(const std::vector<std::int64_t>& order) {
  std::int64_t sum = 0;
  for (std::int64_t j = 0; j < std::ssize(order); ++j) {
    const std::int64_t difference = order[static_cast<std::size_t>(j)] - j;
    sum += difference * difference;
  }
  return sum;
}

// The largest squared displacement, that of the reversed order: n(n^2-1)/3, an integer for every n.
double largest_squared_displacement(std::size_t n_items) {
  const auto n = static_cast<double>(n_items);
  return n * (n * n - 1) / 3;
}

std::int64_t discordant_pairs(const std::vector<std::int64_t>& order) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 1; j < order.size(); ++j)
      count += order[i] > order[j] ? 1 : 0;
  }
  return count;
}

}  // namespace

double kendall_tau(const Ranking& ranking, const Ranking& target) {
  return 1 - 2 * kemeny_distance(ranking, target);
}

double kemeny_distance(const Ranking& ranking, const Ranking& target) {
  const auto order = target_positions(ranking, target);
  if (order.size() < 2) return 0;
  const auto n = static_cast<double>(order.size());
  return static_cast<double>(discordant_pairs(order)) / (n * (n - 1) / 2);
}

double spearman_rho(const Ranking& ranking, const Ranking& target) {
  return 2 * spearman_return(ranking, target) - 1;
}

double spearman_return(const Ranking& ranking, const Ranking& target) {
  const auto order = target_positions(ranking, target);
  if (order.size() < 2) return 1;
  return 1 - static_cast<double>(squared_displacement(order)) /
                 largest_squared_displacement(order.size());
}

double footrule_distance(const Ranking& ranking, const Ranking& target) {
  const auto order = target_positions(ranking, target);
  if (order.size() < 2) return 0;
  std::int64_t displacement = 0;
  for (std::int64_t j = 0; j < std::ssize(order); ++j) {
    displacement += std::abs(order[static_cast<std::size_t>(j)] - j);
  }
  const std::int64_t largest = std::ssize(order) * std::ssize(order) / 2;
  return static_cast<double>(displacement) / static_cast<double>(largest);
}

int matching_positions(const Ranking& ranking, const Ranking& target) {
  check_sizes(ranking, target);
  int count = 0;
  for (std::size_t j = 0; j < ranking.size(); ++j) {
    count += ranking.items()[j] == target.items()[j] ? 1 : 0;
  }
  return count;
}

}  // namespace rsd
