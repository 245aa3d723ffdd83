#include "llm/block_index.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "core/xxh64.h"
#include "llm/cell_state.h"
#include "rsd/llm/candidate_index_writer.h"

namespace rsd {
namespace {

Error no_index(const std::string& folder) {
  std::error_code unknown;
  const bool is_begun = std::filesystem::exists(partial_block_index_path(folder), unknown);
  return {ErrorCode::kNotFound,
          folder + (is_begun ? " has an index that is not finished; the same `rsd index` goes on"
                             : " has no index (candidates.rsdi); `rsd index` writes one")};
}

bool are_same(Bytes stored, std::span<const TokenId> tokens) {
  return stored.size() == tokens.size_bytes() &&
         std::memcmp(stored.data(), tokens.data(), stored.size()) == 0;
}

}  // namespace

BlockIndex::BlockIndex(MappedFile file, ParsedHeader header, ParsedTrailer trailer)
    : file_(std::move(file)),
      key_(std::move(header.key)),
      first_record_(header.end),
      ids_(trailer.ids),
      blocks_(trailer.blocks),
      info_{.path = file_.path(),
            .task = key_.task,
            .type = key_.type,
            .n_candidates = ids_.size(),
            .n_blocks = blocks_.size(),
            .n_tokens = trailer.trailer.n_tokens,
            .size_bytes = file_.bytes().size(),
            .corpus_digest = trailer.trailer.corpus_digest},
      are_checked_(std::make_unique<std::atomic<bool>[]>(blocks_.size())) {}

Result<std::unique_ptr<const BlockIndex>> BlockIndex::open(const std::string& folder) {
  const std::string path = block_index_path(folder);
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown)) return no_index(folder);
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  auto header = parse_header(path, file->bytes());
  if (!header) return header.error();
  const auto trailer = parse_trailer(path, file->bytes());
  if (!trailer) return trailer.error();
  return std::unique_ptr<const BlockIndex>(
      new BlockIndex(*std::move(file), *std::move(header), *trailer));
}

// Before anything of the file is read.
Result<void> BlockIndex::check_file() const {
  if (file_.is_unchanged()) return {};
  return Error(ErrorCode::kRuntime,
               "index " + file_.path() +
                   " was written to or cut while it was in use; it is read again after a restart");
}

Result<std::optional<std::string>> BlockIndex::text_of(std::string_view id) const {
  if (auto unchanged = check_file(); !unchanged) return unchanged.error();
  const std::uint64_t digest = xxh64(id);
  for (auto entry = std::ranges::lower_bound(ids_, digest, {}, &BlockIndexEntry::digest);
       entry != ids_.end() && entry->digest == digest; ++entry) {
    const auto record = parse_record(file_.path(), file_.bytes(), entry->offset);
    if (!record) return record.error();
    if (record->id == id) return std::optional(std::string(record->text));
  }
  return std::optional<std::string>();
}

Result<std::optional<BlockIndex::Found>> BlockIndex::record_of(
    std::span<const TokenId> tokens) const {
  if (auto unchanged = check_file(); !unchanged) return unchanged.error();
  const std::uint64_t digest = token_digest(tokens);
  for (auto entry = std::ranges::lower_bound(blocks_, digest, {}, &BlockIndexEntry::digest);
       entry != blocks_.end() && entry->digest == digest; ++entry) {
    const auto record = parse_record(file_.path(), file_.bytes(), entry->offset);
    if (!record) return record.error();
    if (are_same(record->tokens, tokens))
      return std::optional(
          Found{.place = static_cast<std::size_t>(entry - blocks_.begin()), .record = *record});
  }
  return std::optional<Found>();
}

// One that is damaged counts as there: who asks for it gets the error.
bool BlockIndex::contains(std::span<const TokenId> tokens) const {
  const auto found = record_of(tokens);
  return !found || found->has_value();
}

Result<BlockPtr> BlockIndex::find(std::span<const TokenId> tokens) const {
  const auto found = record_of(tokens);
  if (!found) return found.error();
  if (!*found) return BlockPtr();
  const Found& block = **found;
  std::atomic<bool>& is_checked = are_checked_[block.place];
  if (!is_checked) {
    if (auto whole = check_state(file_.path(), block.record); !whole) return whole.error();
    is_checked = true;
  }
  return block_of(block.record);
}

Result<Bytes> BlockIndex::head_state() const {
  if (auto unchanged = check_file(); !unchanged) return unchanged.error();
  const auto record = parse_record(file_.path(), file_.bytes(), first_record_);
  if (!record) return record.error();
  if (auto whole = check_state(file_.path(), *record); !whole) return whole.error();
  return record->state;
}

Result<BlockPtr> BlockIndex::block_of(const BlockRecord& record) const {
  if (key_.type == BlockType::kF16) return EncodedBlock::in(record.state, record.n_tokens());
  auto state = unpacked_q8_0(record.state);
  if (!state)
    return state.error().within("index " + file_.path() + ", byte " +
                                std::to_string(record.state_offset));
  return EncodedBlock::of(*std::move(state), record.n_tokens());
}

}  // namespace rsd
