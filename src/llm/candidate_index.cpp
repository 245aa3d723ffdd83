#include "rsd/llm/candidate_index.h"

#include <utility>

#include "llm/block_index.h"

namespace rsd {

CandidateIndex::CandidateIndex(std::unique_ptr<const BlockIndex> blocks)
    : blocks_(std::move(blocks)) {}
CandidateIndex::~CandidateIndex() = default;

Result<std::shared_ptr<const CandidateIndex>> CandidateIndex::open(const std::string& folder) {
  auto blocks = BlockIndex::open(folder);
  if (!blocks) return blocks.error();
  return std::shared_ptr<const CandidateIndex>(new CandidateIndex(*std::move(blocks)));
}

const CandidateIndex::Info& CandidateIndex::info() const noexcept {
  return blocks_->info();
}

const std::vector<TokenId>& CandidateIndex::head() const noexcept {
  return blocks_->key().head;
}

Result<std::optional<std::string>> CandidateIndex::text_of(std::string_view id) const {
  return blocks_->text_of(id);
}

}  // namespace rsd
