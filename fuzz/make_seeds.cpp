// Writes the seeds that are not text. usage: rsd_fuzz_seeds CORPUS, from the source's folder
//
// CORPUS/TARGET/ gets small files of today's formats: run it again when a format has changed.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "llm/block_index_format.h"
#include "llm/cell_state.h"
#include "llm/hf_vocabulary.h"
#include "rsd/agent/agent_file.h"
#include "rsd/core/file.h"
#include "rsd/llm/candidate_index_writer.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/train/checkpoint.h"

namespace rsd::fuzz {

void take_input(std::string_view /*input*/) {}  // no target

namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void make_agents(const fs::path& corpus) {
  const NetworkShape small{
      .d_model = 4, .n_heads = 2, .n_layers = 1, .d_feed_forward = 4, .d_pair = 4};
  NetworkShape plain = small;
  plain.n_layers = 2;
  plain.input = {.max_rounds = 1, .listwise = false, .round_history = false};
  for (const auto& [name, shape] : {std::pair("small", small), std::pair("plain", plain)}) {
    auto network = RelevanceNetwork::untrained(shape, 1);
    require(network.ok(), "a shape within the limits");
    put(corpus / "agent_file" / name,
        serialised({.network = *std::move(network), .notes = {{"model", "m"}, {"seed", "1"}}}));
  }
}

void make_checkpoints(const fs::path& corpus) {
  const AdamWState adamw{.first = {0.1F, -0.2F}, .second = {0.3F, 0.4F}, .steps = 7};
  const std::vector<float> weights{1.0F, -2.0F};
  const SupervisedState supervised{.step = 7,
                                   .adamw = adamw,
                                   .weights = weights,
                                   .best_weights = weights,
                                   .best_kendall_tau = 0.5,
                                   .without_gain = 1};
  const RpoState rpo{.step = 3,
                     .adamw = adamw,
                     .weights = weights,
                     .best_weights = {},
                     .best_return = std::nullopt};
  put(corpus / "checkpoint" / "empty", serialised(Checkpoint{}));
  put(corpus / "checkpoint" / "supervised", serialised({.supervised = supervised}));
  put(corpus / "checkpoint" / "rpo", serialised({.initial_weights = weights, .rpo = rpo}));
}

// The header of a GGUF that holds a vocabulary, from the seed of tokenizer_json.
void make_vocabulary(const fs::path& corpus) {
  const auto seed = read_file(corpus / "tokenizer_json" / "smollm");
  require(seed.ok(), "there is a seed of tokenizer_json");
  const MemoryFile json(parts_of(*seed, 2)[0]);
  const MemoryFile gguf;
  require(write_hf_vocabulary(json.path(), gguf.path()).ok(), "the seed is a vocabulary");
  const auto written = read_file(gguf.path());
  require(written.ok(), "the vocabulary was written");
  put(corpus / "model_vocabulary" / "smollm", *written);
  put(corpus / "model_header" / "smollm", *written);
}

// A head, a block, a candidate that shares it, and a blank one.
void make_index(const fs::path& corpus) {
  const fs::path folder = fs::temp_directory_path() / "rsd-fuzz-seeds";
  fs::remove_all(folder);
  auto engine = LlamaEngine::load({.model_path = "tests/models/tiny-bpe.gguf", .threads = 1});
  require(engine.ok(), "the tiny model is there");
  auto writer = CandidateIndexWriter::open(
      **engine, {.folder = folder.string(), .task = "passage", .head = {TokenId(5)}});
  require(writer.ok(), "an index can be written");
  const std::vector<NewCandidate> candidates = {{.id = "d0", .text = "a", .tokens = {TokenId(6)}},
                                                {.id = "d1", .text = " a", .tokens = {TokenId(6)}},
                                                {.id = "d2", .text = " "}};
  require((*writer)->add(candidates).ok() && (*writer)->commit(1).ok(), "an index can be written");
  const auto written = read_file(block_index_path(folder.string()));
  require(written.ok(), "the index was written");
  put(corpus / "block_index" / "f16", *written);
  fs::remove_all(folder);
}

template <class Value>
void append(std::vector<std::uint8_t>& bytes, Value value) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof(value));
}

// One cell of one layer, as llama.cpp writes it, with rows that q8_0 takes: no tiny model has them.
std::vector<std::uint8_t> one_cell() {
  constexpr std::int32_t kF16 = 1;
  constexpr std::uint64_t kRowBytes = 64;
  std::vector<std::uint8_t> bytes;
  for (const std::uint32_t number : {0U, 0U, 1U, 1U, 0U, 1U, 0U, 0U, 1U})
    append(bytes, number);
  for (int part = 0; part < 2; ++part) {
    append(bytes, kF16);
    append(bytes, kRowBytes);
    bytes.resize(bytes.size() + kRowBytes, 0x3C);
  }
  return bytes;
}

void make_packed_index(const fs::path& corpus) {
  const auto state = one_cell();
  const auto packed = packed_q8_0(state);
  const auto layout = cell_layout(state);
  require(packed.ok() && layout.ok(), "the cell is one");
  std::string file = header_bytes(
      {.cells = *layout, .task = "passage", .head = {TokenId(5)}, .type = BlockType::kQ8_0});
  const std::vector<TokenId> tokens{TokenId(5)};
  file += record_bytes(file.size(), {.tokens = tokens, .state = *packed});
  const BlockIndexEntry entry{.digest = token_digest(tokens), .offset = file.size()};
  file += record_bytes(file.size(), {.id = "d0", .text = "a", .tokens = tokens, .state = *packed});
  const std::vector<BlockIndexEntry> entries{entry};
  file += table_bytes(file.size(), entries, entries, {.n_candidates = 1, .n_blocks = 1});
  put(corpus / "block_index" / "q8_0", file);
}

void make_array(const fs::path& corpus) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  header += '\n';
  std::string file = "\x93NUMPY";
  file += {'\x01', '\x00', static_cast<char>(header.size()), '\x00'};
  put(corpus / "npy" / "float32", file + header + std::string(24, '\x3F'));
}

}  // namespace
}  // namespace rsd::fuzz

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fputs("usage: rsd_fuzz_seeds CORPUS\n", stderr);
    return 2;
  }
  rsd::fuzz::make_agents(argv[1]);
  rsd::fuzz::make_checkpoints(argv[1]);
  rsd::fuzz::make_vocabulary(argv[1]);
  rsd::fuzz::make_index(argv[1]);
  rsd::fuzz::make_packed_index(argv[1]);
  rsd::fuzz::make_array(argv[1]);
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "rsd_fuzz_seeds: %s\n", failure.what());
  return 1;
}
