#include "rsd/llm/candidate_index_writer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "core/xxh64.h"
#include "llm/block_encoder.h"
#include "llm/block_index_format.h"
#include "llm/index_of_engine.h"
#include "llm/mapped_file.h"
#include "llm/partial_file.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

Error not_ours(const std::string& path, const std::string& why) {
  return {ErrorCode::kInvalidArgument, path + " " + why + "; remove it, or name another folder"};
}

Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct CandidateIndexWriter::State {
  // A candidate that an interrupted writer has left.
  struct KeptCandidate {
    std::uint64_t content = 0;              // digest of id and text
    std::optional<std::uint64_t> tokens{};  // digest of its block's, if it has one of its own
  };

  LlamaEngine::State& engine;
  IndexBasis basis;
  std::string path;  // of the finished file
  PartialFile file;
  std::uint64_t end = 0;
  std::vector<BlockIndexEntry> ids{};
  std::vector<BlockIndexEntry> blocks{};
  std::unordered_set<std::uint64_t> digests{};  // of the blocks' tokens
  std::uint64_t n_tokens = 0;
  std::vector<KeptCandidate> kept{};
  std::size_t n_added = 0;
  std::uint64_t token_bytes = 0;  // of a block, and what each has on top
  std::uint64_t frame_bytes = 0;
  std::uint64_t empty_bytes = 0;

  std::string partial() const {
    return partial_block_index_path(std::filesystem::path(path).parent_path());
  }
  Result<void> begin();
  Result<bool> go_on();
  void take_in(const BlockRecord& record, std::uint64_t offset);
  Result<void> measure();
  Result<void> append(const NewRecord& record);
  Result<void> check_kept(const NewCandidate& candidate) const;
  Result<std::vector<BlockPtr>> encode(std::span<const NewCandidate> candidates);
};

// Header and head.
Result<void> CandidateIndexWriter::State::begin() {
  if (auto cut = file.cut(0); !cut) return cut;
  const std::string header = header_bytes(basis.key);
  if (auto written = file.write(header); !written) return written;
  end = header.size();
  const std::string head = record_bytes(
      end, {.id = {}, .text = {}, .tokens = basis.key.head, .state = basis.head_state});
  end += head.size();
  return file.write(head);
}

// Takes up what an interrupted writer has left; false: nothing that is of use.
Result<bool> CandidateIndexWriter::State::go_on() {
  const std::string partial = this->partial();
  const auto mapped = MappedFile::open(partial);
  if (!mapped) return mapped.error();
  const Bytes bytes = mapped->bytes();
  // Stopped before there was anything, or the power went before it was on the disk.
  const std::string whole_header = header_bytes(basis.key);
  const bool is_cut = bytes.size() < whole_header.size() &&
                      std::ranges::equal(bytes, as_bytes(whole_header).first(bytes.size()));
  if (is_cut || std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; }))
    return false;
  const auto header = parse_header(partial, bytes);
  if (!header) return header.error();
  if (const auto why = why_not_for(header->key, basis.key)) return not_ours(partial, *why);
  if (header->key.type != basis.key.type)
    return not_ours(partial, "is of type " + std::string(to_string(header->key.type)));
  const auto head = parse_record(partial, bytes, header->end);
  if (!head) return false;
  if (!std::ranges::equal(head->state, basis.head_state))
    return not_ours(partial, "was begun on another processor, or by another build");
  end = head->end;
  while (end < bytes.size()) {
    const auto record = parse_record(partial, bytes, end);
    if (!record || !check_state(partial, *record)) break;
    take_in(*record, end);
    KeptCandidate& candidate =
        kept.emplace_back(KeptCandidate{.content = corpus_digest(0, record->id, record->text)});
    if (!record->tokens.empty()) candidate.tokens = blocks.back().digest;
    end = record->end;
  }
  if (auto cut = file.cut(end); !cut) return cut.error();
  return true;
}

void CandidateIndexWriter::State::take_in(const BlockRecord& record, std::uint64_t offset) {
  ids.push_back({.digest = xxh64(record.id), .offset = offset});
  if (record.tokens.empty()) return;
  blocks.push_back({.digest = xxh64(record.tokens), .offset = offset});
  digests.insert(blocks.back().digest);
  n_tokens += record.n_tokens();
}

// A block's size is linear in its tokens: those of one and two say how.
Result<void> CandidateIndexWriter::State::measure() {
  const std::vector<TokenId> two(2, basis.key.head.front());
  const std::array<BlockKey, 2> keys{
      BlockKey{.scope = {}, .head = basis.key.head, .tokens = {two.front()}},
      BlockKey{.scope = {}, .head = basis.key.head, .tokens = two}};
  const auto encoded = engine.blocks->encode(keys);
  if (!encoded) return encoded.error();
  std::array<std::uint64_t, 2> sizes{};
  for (std::size_t n = 0; n < sizes.size(); ++n) {
    const auto stored = stored_state(encoded->blocks[n]->state(), basis.key.type);
    if (!stored) return stored.error();
    sizes[n] = stored->size();
  }
  token_bytes = sizes[1] - sizes[0];
  frame_bytes = sizes[0] - token_bytes;
  const std::uint64_t head_bytes =
      record_size("", "", basis.key.head.size(), basis.head_state.size());
  empty_bytes = header_bytes(basis.key).size() + head_bytes + table_bytes(0, {}, {}, {}).size();
  return {};
}

Result<void> CandidateIndexWriter::State::append(const NewRecord& record) {
  const std::string bytes = record_bytes(end, record);
  if (auto written = file.write(bytes); !written) return written;
  ids.push_back({.digest = xxh64(record.id), .offset = end});
  if (!record.tokens.empty()) {
    blocks.push_back({.digest = token_digest(record.tokens), .offset = end});
    n_tokens += record.tokens.size();
  }
  end += bytes.size();
  return {};
}

Result<void> CandidateIndexWriter::State::check_kept(const NewCandidate& candidate) const {
  const KeptCandidate& there = kept[n_added];
  if (there.content != corpus_digest(0, candidate.id, candidate.text)) {
    return not_ours(partial(), "has another candidate in the place of \"" + candidate.id +
                                   "\" (number " + std::to_string(n_added + 1) +
                                   "): the corpus has changed");
  }
  const std::uint64_t tokens = token_digest(candidate.tokens);
  if (candidate.tokens.empty()
          ? !there.tokens
          : there.tokens.value_or(tokens) == tokens && digests.contains(tokens))
    return {};
  return not_ours(partial(), "has candidate \"" + candidate.id +
                                 "\" cut to another length: it was begun with another limit of its "
                                 "texts' tokens, or another context");
}

// By candidate; null: it is blank, or an earlier one has its block.
Result<std::vector<BlockPtr>> CandidateIndexWriter::State::encode(
    std::span<const NewCandidate> candidates) {
  std::vector<BlockKey> keys;
  std::vector<std::size_t> places;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const auto& tokens = candidates[c].tokens;
    if (tokens.empty() || !digests.insert(token_digest(tokens)).second) continue;
    keys.push_back({.scope = {}, .head = basis.key.head, .tokens = tokens});
    places.push_back(c);
  }
  std::vector<BlockPtr> blocks_of(candidates.size());
  if (keys.empty()) return blocks_of;
  engine.context->set_deadline(std::nullopt);
  auto encoded = engine.blocks->encode(keys);
  if (!encoded) return encoded.error();
  for (std::size_t k = 0; k < keys.size(); ++k)
    blocks_of[places[k]] = std::move(encoded->blocks[k]);
  return blocks_of;
}

CandidateIndexWriter::CandidateIndexWriter(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
CandidateIndexWriter::~CandidateIndexWriter() = default;

Result<std::unique_ptr<CandidateIndexWriter>> CandidateIndexWriter::open(LlamaEngine& llm,
                                                                         const Options& options) {
  RSD_CHECK(!options.head.empty(), "a head of a token at least");
  const std::string path = block_index_path(options.folder);
  std::error_code failure;
  std::filesystem::create_directories(options.folder, failure);
  if (failure || !std::filesystem::is_directory(options.folder, failure)) {
    return Error(ErrorCode::kRuntime, "the folder " + options.folder + " can't be made" +
                                          (failure ? ": " + failure.message() : ": it is a file"));
  }
  const auto is_there = [&] { return std::filesystem::exists(path, failure); };
  if (is_there()) return not_ours(path, "is there already");
  auto basis = index_basis(*llm.state_, options.task, options.head, options.type);
  if (!basis) return basis.error();
  auto file = PartialFile::open(partial_block_index_path(options.folder));
  if (!file) return file.error();
  // Another writer may have finished meanwhile.
  if (is_there()) return not_ours(path, "is there already");
  auto state = std::make_unique<State>(State{
      .engine = *llm.state_, .basis = *std::move(basis), .path = path, .file = *std::move(file)});
  if (auto measured = state->measure(); !measured) return measured.error();
  const auto went_on = state->go_on();
  if (!went_on) return went_on.error();
  if (!*went_on) {
    if (auto begun = state->begin(); !begun) return begun.error();
  }
  return std::unique_ptr<CandidateIndexWriter>(new CandidateIndexWriter(std::move(state)));
}

std::size_t CandidateIndexWriter::n_kept() const noexcept {
  return state_->kept.size();
}

std::uint64_t CandidateIndexWriter::size_bytes() const noexcept {
  return state_->end;
}

std::uint64_t CandidateIndexWriter::empty_bytes() const noexcept {
  return state_->empty_bytes;
}

std::uint64_t CandidateIndexWriter::bytes_of(const NewCandidate& candidate) const noexcept {
  const std::size_t n_tokens = candidate.tokens.size();
  const std::uint64_t n_state =
      n_tokens == 0 ? 0 : state_->frame_bytes + state_->token_bytes * n_tokens;
  const std::uint64_t n_entries = n_tokens == 0 ? 1 : 2;
  return record_size(candidate.id, candidate.text, n_tokens, n_state) +
         n_entries * sizeof(BlockIndexEntry);
}

Result<void> CandidateIndexWriter::add(std::span<const NewCandidate> candidates) {
  while (!candidates.empty() && state_->n_added < state_->kept.size()) {
    if (auto same = state_->check_kept(candidates.front()); !same) return same;
    ++state_->n_added;
    candidates = candidates.subspan(1);
  }
  const auto blocks = state_->encode(candidates);
  if (!blocks) return blocks.error();
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const NewCandidate& candidate = candidates[c];
    NewRecord record{.id = candidate.id, .text = candidate.text, .tokens = {}, .state = {}};
    std::vector<std::uint8_t> state;
    if (const BlockPtr& block = (*blocks)[c]) {
      auto stored = stored_state(block->state(), state_->basis.key.type);
      if (!stored) return stored.error();
      state = *std::move(stored);
      record.tokens = candidate.tokens;
      record.state = state;
    }
    if (auto written = state_->append(record); !written) return written;
    ++state_->n_added;
  }
  return {};
}

Result<void> CandidateIndexWriter::commit(std::uint64_t corpus_digest) {
  State& state = *state_;
  if (state.n_added < state.kept.size()) {
    return not_ours(state.partial(), "has " + std::to_string(state.kept.size()) +
                                         " candidates, the corpus " +
                                         std::to_string(state.n_added) + ": it has changed");
  }
  std::ranges::sort(state.ids);
  std::ranges::sort(state.blocks);
  const std::string table = table_bytes(state.end, state.ids, state.blocks,
                                        {.n_candidates = state.ids.size(),
                                         .n_blocks = state.blocks.size(),
                                         .n_tokens = state.n_tokens,
                                         .corpus_digest = corpus_digest});
  if (auto written = state.file.write(table); !written) return written;
  return state.file.publish_as(state.path);
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
