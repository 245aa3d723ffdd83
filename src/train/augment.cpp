#include "rsd/train/augment.h"

#include <numeric>
#include <vector>

#include "rsd/rank/presentation.h"

namespace rsd {

Request varied(const Request& request, std::uint64_t seed) {
  auto random = request_generator(seed, request.id);
  std::vector<std::size_t> order(request.candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(order, random);
  const bool some_only = random() % 2 == 0;
  if (some_only && order.size() > kLeastVariedItems) {
    order.resize(kLeastVariedItems + random() % (order.size() - kLeastVariedItems + 1));
  }
  return presented(request, order);
}

}  // namespace rsd
