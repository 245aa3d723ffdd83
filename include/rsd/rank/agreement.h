// Measures of agreement between a ranking and a target ranking of the same items.
//
// With a and b the positions of an item in the two rankings and n items:
//   kendall_tau        (concordant - discordant) / (n(n-1)/2)                       in [-1, 1]
//   spearman_rho       1 - 6 sum (a-b)^2 / (n(n^2-1))                              in [-1, 1]
//   footrule_distance  sum |a-b| / floor(n^2/2)       (Diaconis and Graham 1977)    in [0, 1]
//   kemeny_distance    discordant / (n(n-1)/2) = (1 - kendall_tau) / 2              in [0, 1]
//   spearman_return    1 - sum (a-b)^2 / (n(n^2-1)/3) = (1 + spearman_rho) / 2      in [0, 1]
// Rankings are permutations, so there are no ties. With n < 2 the two agree: tau, rho and the
// return are 1, the distances 0. All throw LogicError when the sizes differ. Pure functions. O(n^2)
// at most.
#pragma once

#include "rsd/rank/ranking.h"

namespace rsd {

double kendall_tau(const Ranking& ranking, const Ranking& target);
double spearman_rho(const Ranking& ranking, const Ranking& target);
double footrule_distance(const Ranking& ranking, const Ranking& target);
double kemeny_distance(const Ranking& ranking, const Ranking& target);
// The reward of RPO (arXiv 2505.20316, section on ranking-tailored policy optimisation).
double spearman_return(const Ranking& ranking, const Ranking& target);

// Positions at which both hold the same item, in [0, n].
int matching_positions(const Ranking& ranking, const Ranking& target);

}  // namespace rsd
