#include "llm/proposal_encoding.h"

#include <algorithm>

#include "rsd/core/check.h"

namespace rsd {

std::size_t ProposalEncoding::first_wanted(const ScorerPart& part) {
  return std::max<std::size_t>(part.query->rows.first, 1) - 1;
}

ScorerPart ProposalEncoding::begin(const EncodingQuery& query, bool may_keep) const {
  const std::size_t n_items = prompt_.identifiers.size();
  RSD_CHECK(query.rows.size() > 0 && query.rows.end <= query.proposal.size() + 1 &&
                query.rows.end <= n_items,
            "rows of an encoding");
  ScorerPart part{.query = query};
  part.encoding.rows = LogitMatrix(query.rows.size(), n_items);
  if (!may_keep) return part;
  const auto cached = lanes_.items(query.lane);
  const auto same = std::ranges::mismatch(cached, query.proposal).in1 - cached.begin();
  part.n_kept = std::min({static_cast<std::size_t>(same), first_wanted(part), n_needed(part)});
  return part;
}

void ProposalEncoding::stage(ScorerPart& part) {
  const EncodingQuery& query = *part.query;
  part.sequence = lanes_.sequence(query.lane);
  part.first_position = lanes_.prompt_end() + part.n_kept;
  part.first_output = first_wanted(part) - part.n_kept;
  part.tokens.reserve(n_needed(part) - part.n_kept);
  for (std::size_t t = part.n_kept; t < n_needed(part); ++t)
    part.tokens.emplace_back(prompt_.identifiers[query.proposal[t].slot()].value());
}

bool ProposalEncoding::finish(const ScorerPart& part, bool done) {
  if (part.tokens.empty()) return true;
  const EncodingQuery& query = *part.query;
  lanes_.set_items(query.lane, query.proposal.first(n_needed(part)));
  return done || lanes_.truncate(query.lane, part.n_kept);
}

}  // namespace rsd
