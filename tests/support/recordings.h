// Recorded answers of a vLLM, for a server that replays them.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/npy_text.h"

namespace rsd {

// Bodies. The shape of a question shows whether it is of /inference/v1/generate or /v1/completions.
struct RecordedExchange {
  std::string question;
  std::string answer;
};

// At most one exchange per protocol.
class Recordings {
 public:
  enum class Way { kGenerate, kCompletions };

  Recordings() = default;
  // Throws std::exception where an exchange has another shape.
  explicit Recordings(const std::vector<RecordedExchange>& exchanges);

  // The recorded answer if the question equals the recorded one, except for its use of the cache.
  std::optional<std::string> answer(Way way, nlohmann::json question) const;

  // The identifiers' logits after `tokens`. nullopt if these don't begin with the recorded prompt.
  // Throws std::out_of_range if they do but continue differently or ask for other identifiers.
  std::optional<std::vector<float>> row(Way way, std::span<const int> tokens,
                                        const std::vector<int>& identifiers) const;

 private:
  struct Recording {
    nlohmann::json question;  // without its use of the cache
    std::string answer;
    std::vector<int> tokens;  // the prompt, and all of the proposal that the last row depends on
    std::vector<int> identifiers;
    FakeRows rows;
  };
  static Recording of_generate(const nlohmann::json& question, const nlohmann::json& answer);
  static Recording of_completions(const nlohmann::json& question, const nlohmann::json& answer);

  std::map<Way, Recording> by_way_;
};

}  // namespace rsd
