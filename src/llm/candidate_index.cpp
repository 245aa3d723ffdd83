#include "rsd/llm/candidate_index.h"

#include <utility>

#include "core/xxh64.h"
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

const CandidateIndexInfo& CandidateIndex::info() const noexcept {
  return blocks_->info();
}

const std::vector<TokenId>& CandidateIndex::head() const noexcept {
  return blocks_->key().head;
}

Result<std::optional<std::string>> CandidateIndex::text_of(std::string_view id) const {
  return blocks_->text_of(id);
}

std::uint64_t token_digest(std::span<const TokenId> tokens) noexcept {
  static_assert(sizeof(TokenId) == sizeof(std::int32_t));
  return xxh64({reinterpret_cast<const std::uint8_t*>(tokens.data()), tokens.size_bytes()});
}

std::uint64_t corpus_digest(std::uint64_t before, std::string_view id,
                            std::string_view text) noexcept {
  return xxh64(text, xxh64(id, before));
}

}  // namespace rsd
