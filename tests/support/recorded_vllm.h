// Exchanges with a vLLM 0.32 that lie beside the project, not in it: tests that need them skip
// where they aren't there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "support/recordings.h"

namespace rsd {

// A ranking of all items behind a prompt, asked in both ways.
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
