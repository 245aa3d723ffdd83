// Exchanges with a vLLM 0.32, which are not part of the project: tests that need them are skipped
// if they are missing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "support/recordings.h"

namespace rsd {

// A ranking of all items after a prompt, by both protocols.
struct RecordedVllm {
  static constexpr const char* kFolder = "../shared/fixtures/vllm/";

  // nullopt: there is no such folder. Throws std::exception where a file has another shape.
  static std::optional<RecordedVllm> load();

  std::string model;
  std::vector<TokenId> prompt;
  std::vector<IdentifierToken> identifiers;
  std::vector<ItemId> proposal;
  RecordedExchange generate;
  RecordedExchange completions;
  std::string dropped_question;  // one by generate that was answered with null in place of rows
};

}  // namespace rsd
