// Exchanges with a vLLM 0.32 on a CPU, kept as they went over the wire.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "support/recordings.h"

namespace rsd {

// A ranking of all items after a prompt, by both protocols.
struct RecordedVllm {
  static constexpr const char* kFolder = "tests/fixtures/vllm/";

  // Throws std::exception where a file is missing or has another shape. The working directory is
  // the project's.
  static RecordedVllm load();

  std::string model;
  std::vector<TokenId> prompt;
  std::vector<IdentifierToken> identifiers;
  std::vector<ItemId> proposal;
  RecordedExchange generate;
  RecordedExchange completions;
  std::string dropped_question;  // one by generate that was answered with null in place of rows
};

}  // namespace rsd
