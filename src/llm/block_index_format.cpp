#include "llm/block_index_format.h"

#include <cstring>
#include <filesystem>

#include "core/xxh64.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

constexpr std::array<char, 8> kMagic{'R', 'S', 'D', 'B', 'L', 'K', 'I', '\0'};
constexpr std::array<char, 8> kEndMagic{'R', 'S', 'D', 'B', 'L', 'K', 'E', '\0'};

struct HeaderStart {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kBlockIndexVersion;
  std::uint32_t n_text = 0;    // bytes of the key, which follows
  std::uint64_t checksum = 0;  // of the key
};
static_assert(sizeof(HeaderStart) == 24);

struct RecordStart {
  std::uint64_t checksum = 0;  // of what follows, up to the end of the tokens
  std::uint32_t n_id = 0;      // bytes
  std::uint32_t n_text = 0;
  std::uint32_t n_tokens = 0;
  std::uint32_t reserved = 0;
  std::uint64_t n_state = 0;  // bytes
  std::uint64_t state_checksum = 0;
};
static_assert(sizeof(RecordStart) == 40);

struct TrailerBytes {
  std::array<char, 8> magic = kEndMagic;
  BlockIndexTrailer trailer;
  std::uint64_t checksum = 0;  // of what stands before it
};
static_assert(sizeof(TrailerBytes) == 64 && sizeof(BlockIndexEntry) == 16);

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kBlockIndexAlignment - 1) / kBlockIndexAlignment * kBlockIndexAlignment;
}

template <class Value>
std::string_view bytes_of(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void fill_up(std::string& bytes, std::uint64_t offset) {
  bytes.resize(aligned(offset + bytes.size()) - offset, '\0');
}

Error damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {ErrorCode::kInvalidInput, "index " + path + " is damaged at byte " +
                                        std::to_string(offset) + ": " + what +
                                        "; `rsd index` writes it anew when it is removed"};
}

// The piece, or why it isn't there.
Result<Bytes> piece(const std::string& path, Bytes file, std::uint64_t offset, std::uint64_t n) {
  if (offset <= file.size() && n <= file.size() - offset)
    return file.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(n));
  return damaged(path, offset,
                 "it ends at byte " + std::to_string(file.size()) + ", within " +
                     std::to_string(n) + " bytes that begin here");
}

template <class Value>
Result<Value> value_at(const std::string& path, Bytes file, std::uint64_t offset) {
  const auto bytes = piece(path, file, offset, sizeof(Value));
  if (!bytes) return bytes.error();
  Value value;
  std::memcpy(&value, bytes->data(), sizeof(Value));
  return value;
}

// True if these bytes have the checksum. Fuzzers can't guess one, so in their builds any is right:
// their inputs reach what checksums guard.
bool has_checksum([[maybe_unused]] Bytes bytes, [[maybe_unused]] std::uint64_t checksum) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  return true;
#else
  return xxh64(bytes) == checksum;
#endif
}

std::string shown_version(std::uint32_t version) {
  return "is of version " + std::to_string(version) + "; this rsd reads version " +
         std::to_string(kBlockIndexVersion);
}

}  // namespace

std::string block_index_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "candidates.rsdi").string();
}

std::string partial_block_index_path(const std::string& folder) {
  return block_index_path(folder) + ".partial";
}

std::string header_bytes(const BlockIndexKey& key) {
  const std::string text = to_text(key);
  const HeaderStart start{.n_text = static_cast<std::uint32_t>(text.size()),
                          .checksum = xxh64(text)};
  std::string bytes(bytes_of(start));
  bytes += text;
  fill_up(bytes, 0);
  return bytes;
}

std::string record_bytes(std::uint64_t offset, const NewRecord& record) {
  RecordStart start{.n_id = static_cast<std::uint32_t>(record.id.size()),
                    .n_text = static_cast<std::uint32_t>(record.text.size()),
                    .n_tokens = static_cast<std::uint32_t>(record.tokens.size()),
                    .n_state = record.state.size(),
                    .state_checksum = record.state.empty() ? 0 : xxh64(record.state)};
  std::string bytes(bytes_of(start));
  bytes += record.id;
  bytes += record.text;
  bytes.append(reinterpret_cast<const char*>(record.tokens.data()), record.tokens.size_bytes());
  start.checksum = xxh64(std::string_view(bytes).substr(sizeof(start.checksum)));
  std::memcpy(bytes.data(), &start.checksum, sizeof(start.checksum));
  fill_up(bytes, offset);
  bytes += as_text(record.state);
  fill_up(bytes, offset);
  return bytes;
}

std::uint64_t record_size(std::string_view id, std::string_view text, std::size_t n_tokens,
                          std::uint64_t n_state) noexcept {
  return aligned(sizeof(RecordStart) + id.size() + text.size() + n_tokens * sizeof(std::int32_t)) +
         aligned(n_state);
}

std::string table_bytes(std::uint64_t offset, std::span<const BlockIndexEntry> ids,
                        std::span<const BlockIndexEntry> blocks, BlockIndexTrailer trailer) {
  std::string bytes;
  const auto append = [&](std::span<const BlockIndexEntry> entries) {
    bytes.append(reinterpret_cast<const char*>(entries.data()), entries.size_bytes());
  };
  append(ids);
  append(blocks);
  trailer.table_offset = offset;
  trailer.table_checksum = xxh64(bytes);
  TrailerBytes end{.trailer = trailer};
  end.checksum = xxh64(bytes_of(end).substr(0, sizeof(end) - sizeof(end.checksum)));
  bytes += bytes_of(end);
  return bytes;
}

Result<ParsedHeader> parse_header(const std::string& path, Bytes file) {
  const auto start = value_at<HeaderStart>(path, file, 0);
  if (!start) return start.error();
  if (start->magic != kMagic)
    return Error(ErrorCode::kInvalidInput, path + " is no index of rsd: it begins otherwise");
  if (start->version != kBlockIndexVersion)
    return Error(ErrorCode::kInvalidInput, "index " + path + " " + shown_version(start->version));
  const auto text = piece(path, file, sizeof(HeaderStart), start->n_text);
  if (!text) return text.error();
  if (!has_checksum(*text, start->checksum))
    return damaged(path, sizeof(HeaderStart), "the header's checksum is another");
  auto key = parse_key(as_text(*text));
  if (!key) return key.error().within("index " + path);
  return ParsedHeader{.key = *std::move(key), .end = aligned(sizeof(HeaderStart) + start->n_text)};
}

Result<BlockRecord> parse_record(const std::string& path, Bytes file, std::uint64_t offset) {
  const auto start = value_at<RecordStart>(path, file, offset);
  if (!start) return start.error();
  const std::uint64_t n_tokens = std::uint64_t{start->n_tokens} * sizeof(std::int32_t);
  const std::uint64_t n_behind = std::uint64_t{start->n_id} + start->n_text + n_tokens;
  const auto named = piece(path, file, offset + sizeof(RecordStart), n_behind);
  if (!named) return named.error();
  const auto checked = piece(path, file, offset + sizeof(start->checksum),
                             sizeof(RecordStart) - sizeof(start->checksum) + n_behind);
  if (!checked) return checked.error();
  if (!has_checksum(*checked, start->checksum))
    return damaged(path, offset, "a candidate's checksum is another");
  BlockRecord record{.id = as_text(named->first(start->n_id)),
                     .text = as_text(named->subspan(start->n_id, start->n_text)),
                     .tokens = named->last(static_cast<std::size_t>(n_tokens)),
                     .state = {},
                     .state_checksum = start->state_checksum};
  record.state_offset = aligned(offset + sizeof(RecordStart) + n_behind);
  const auto state = piece(path, file, record.state_offset, start->n_state);
  if (!state) return state.error();
  record.state = *state;
  record.end = aligned(record.state_offset + start->n_state);
  if (record.end > file.size())
    return damaged(path, record.state_offset, "it ends within a candidate");
  return record;
}

Result<void> check_state(const std::string& path, const BlockRecord& record) {
  if (record.state.empty() || has_checksum(record.state, record.state_checksum)) return {};
  return damaged(
      path, record.state_offset,
      "the checksum of the cells of candidate \"" + shown_text(record.id) + "\" is another");
}

Result<ParsedTrailer> parse_trailer(const std::string& path, Bytes file) {
  if (file.size() < sizeof(TrailerBytes))
    return damaged(path, file.size(), "it ends before its trailer");
  const std::uint64_t at = file.size() - sizeof(TrailerBytes);
  const auto end = value_at<TrailerBytes>(path, file, at);
  if (!end) return end.error();
  const auto checked =
      file.subspan(static_cast<std::size_t>(at), sizeof(TrailerBytes) - sizeof(end->checksum));
  if (end->magic != kEndMagic || !has_checksum(checked, end->checksum))
    return damaged(path, at, "no trailer ends it; it is truncated, or longer than it was");
  const BlockIndexTrailer& trailer = end->trailer;
  const std::uint64_t n_most = file.size() / sizeof(BlockIndexEntry);
  if (trailer.n_candidates > n_most || trailer.n_blocks > n_most)
    return damaged(path, at, "the table that its trailer names is longer than the file");
  const std::uint64_t n_entries = trailer.n_candidates + trailer.n_blocks;
  const auto table = piece(path, file, trailer.table_offset, n_entries * sizeof(BlockIndexEntry));
  if (!table) return table.error();
  if (trailer.table_offset % kBlockIndexAlignment != 0 ||
      !has_checksum(*table, trailer.table_checksum))
    return damaged(path, trailer.table_offset, "the table's checksum is another");
  const std::span entries(reinterpret_cast<const BlockIndexEntry*>(table->data()),
                          static_cast<std::size_t>(n_entries));
  const auto n_ids = static_cast<std::size_t>(trailer.n_candidates);
  return ParsedTrailer{
      .trailer = trailer, .ids = entries.first(n_ids), .blocks = entries.subspan(n_ids)};
}

}  // namespace rsd
