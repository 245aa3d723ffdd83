#include "rsd/decode/position_scorer.h"

#include <utility>

namespace rsd {

Result<std::vector<Encoding>> PositionScorer::encode_all(std::span<const EncodingQuery> queries) {
  std::vector<Encoding> encodings;
  encodings.reserve(queries.size());
  for (const EncodingQuery& query : queries) {
    auto encoding = encode(query);
    if (!encoding) return encoding.error();
    encodings.push_back(*std::move(encoding));
  }
  return encodings;
}

}  // namespace rsd
