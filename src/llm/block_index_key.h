// What the blocks of an index depend on, beside their own tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llm/cell_state.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/llm/candidate_index.h"

namespace rsd {

// A file by its content; the name is for people.
struct FileContent {
  std::string name;
  std::uint64_t n_bytes = 0;
  std::uint64_t digest = 0;  // XXH64 of all of it

  bool operator==(const FileContent& other) const {
    return n_bytes == other.n_bytes && digest == other.digest;
  }
};

// Reads all of the file. kNotFound, kRuntime.
Result<FileContent> content_of(const std::string& path);

struct AdapterContent {
  FileContent file;
  float scale = 1;

  bool operator==(const AdapterContent&) const = default;
};

struct BlockIndexKey {
  FileContent model;
  std::vector<AdapterContent> adapters;
  CellLayout cells;
  std::string task;           // for people: the head says what counts
  std::vector<TokenId> head;  // of the template's prompts
  BlockType type = BlockType::kF16;
};

// As JSON.
std::string to_text(const BlockIndexKey& key);
// kInvalidInput: it is no such text.
Result<BlockIndexKey> parse_key(std::string_view text);

// The first thing in which an index that was made with `theirs` is not for what runs here; nullopt:
// its blocks are what would be encoded here. The type is not compared.
std::optional<std::string> why_not_for(const BlockIndexKey& theirs, const BlockIndexKey& here);

}  // namespace rsd
