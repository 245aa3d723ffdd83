#include "fuzz/remote_answer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fuzz/target.h"

namespace rsd::fuzz {

void parse_answer_of(const Protocol& protocol, std::string_view answer) {
  const std::array prompt{TokenId(7), TokenId(8)};
  const std::array identifiers{IdentifierToken(70), IdentifierToken(71), IdentifierToken(72)};
  const std::array proposal{ItemId(2), ItemId(0)};
  const RowQuestion question{
      .prompt = prompt, .identifiers = identifiers, .proposal = proposal, .rows = {1, 3}};
  const auto parsed = protocol.parse(answer, question);
  if (!is_value(parsed) || !*parsed) return;
  const LogitMatrix& rows = (*parsed)->rows;
  require(rows.n_rows() == 2 && rows.n_items() == identifiers.size(),
          "an answer has the rows that were asked for");
  require(std::ranges::all_of(rows.values(), [](float value) { return std::isfinite(value); }),
          "log-probabilities are finite");
}

}  // namespace rsd::fuzz
