#include "rsd/rank/content_order.h"

#include <algorithm>
#include <tuple>

#include "rank/digest.h"

namespace rsd {

std::uint64_t text_digest(std::string_view text) noexcept {
  Digest digest;
  digest.add_bytes(text);
  // The last bytes hardly reach the digest's high bits: the finaliser of MurmurHash3 spreads them.
  std::uint64_t mixed = digest.value();
  mixed = (mixed ^ (mixed >> 33U)) * 0xff51afd7ed558ccdU;
  mixed = (mixed ^ (mixed >> 33U)) * 0xc4ceb9fe1a85ec53U;
  return mixed ^ (mixed >> 33U);
}

std::vector<ItemId> content_order(const Request& request) {
  struct Keyed {
    std::uint64_t digest;
    std::string_view text;  // of two texts with one digest
    ItemId item;
    bool operator<(const Keyed& other) const {
      return std::tie(digest, text, item) < std::tie(other.digest, other.text, other.item);
    }
  };
  std::vector<Keyed> keyed;
  keyed.reserve(request.candidates.size());
  for (const Candidate& candidate : request.candidates)
    keyed.push_back({text_digest(candidate.text), candidate.text, ItemId(keyed.size())});
  std::ranges::sort(keyed, std::less<>());
  std::vector<ItemId> order;
  order.reserve(keyed.size());
  for (const Keyed& each : keyed)
    order.push_back(each.item);
  return order;
}

}  // namespace rsd
