// The file of an index of blocks (docs/formats/block-index.md): a header, a record a candidate, a
// table of them, and a trailer. Little-endian.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/block_index_key.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

// What llama.cpp gives of a context's cells has the machine's byte order.
static_assert(std::endian::native == std::endian::little, "indices are written as they are read");

inline constexpr std::uint32_t kBlockIndexVersion = 1;
// Header, records and table begin at multiples of it.
inline constexpr std::size_t kBlockIndexAlignment = 64;

// The names of the finished file and of one that is being written.
std::string block_index_path(const std::string& folder);
std::string partial_block_index_path(const std::string& folder);

using Bytes = std::span<const std::uint8_t>;

// One candidate, as it lies in the file.
struct BlockRecord {
  std::string_view id;
  std::string_view text;
  Bytes tokens;  // of the block, 4 bytes each; empty: its block is another record's, or it has none
  Bytes state;   // the block's cells
  std::uint64_t state_checksum = 0;
  std::uint64_t state_offset = 0;
  std::uint64_t end = 0;  // offset of what follows

  std::size_t n_tokens() const noexcept { return tokens.size() / sizeof(std::int32_t); }
};

// One candidate, as it is to be written.
struct NewRecord {
  std::string_view id;
  std::string_view text;
  std::span<const TokenId> tokens;
  Bytes state;
};

// A place in the table: by the digest of an id or of a block's tokens.
struct BlockIndexEntry {
  std::uint64_t digest = 0;
  std::uint64_t offset = 0;  // of the record

  auto operator<=>(const BlockIndexEntry&) const = default;
};

struct BlockIndexTrailer {
  std::uint64_t table_offset = 0;
  std::uint64_t n_candidates = 0;
  std::uint64_t n_blocks = 0;
  std::uint64_t n_tokens = 0;
  std::uint64_t corpus_digest = 0;
  std::uint64_t table_checksum = 0;
};

struct ParsedHeader {
  BlockIndexKey key;
  std::uint64_t end = 0;  // offset of the first record
};

struct ParsedTrailer {
  BlockIndexTrailer trailer;
  std::span<const BlockIndexEntry> ids;     // by digest, then offset
  std::span<const BlockIndexEntry> blocks;  // so, too
};

std::string header_bytes(const BlockIndexKey& key);
// `offset`: of the record in the file.
std::string record_bytes(std::uint64_t offset, const NewRecord& record);
std::uint64_t record_size(std::string_view id, std::string_view text, std::size_t n_tokens,
                          std::uint64_t n_state) noexcept;
// From `offset`, the end of the last record, to the end of the file.
std::string table_bytes(std::uint64_t offset, std::span<const BlockIndexEntry> ids,
                        std::span<const BlockIndexEntry> blocks, BlockIndexTrailer trailer);

// kInvalidInput, with path and offset: damage, an end that is missing, a version that this one does
// not know.
Result<ParsedHeader> parse_header(const std::string& path, Bytes file);
// Checks all but the block's cells.
Result<BlockRecord> parse_record(const std::string& path, Bytes file, std::uint64_t offset);
Result<void> check_state(const std::string& path, const BlockRecord& record);
Result<ParsedTrailer> parse_trailer(const std::string& path, Bytes file);

}  // namespace rsd
