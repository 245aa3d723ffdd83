// What a vLLM has answered once, for a server that tells it again.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/npy_text.h"

namespace rsd {

// Bodies. A question by /inference/v1/generate or by /v1/completions, told by its shape.
struct RecordedExchange {
  std::string question;
  std::string answer;
};

// Of each way of asking one exchange at most.
class Recordings {
 public:
  enum class Way { kGenerate, kCompletions };

  Recordings() = default;
  // Throws std::exception where an exchange has another shape.
  explicit Recordings(const std::vector<RecordedExchange>& exchanges);

  // The answer, as it came, where the question was this one but for what it says of the cache.
  std::optional<std::string> answer(Way way, nlohmann::json question) const;

  // The identifiers' logits behind `tokens`. nullopt: these don't begin with the recorded prompt.
  // Throws std::out_of_range where they do, and go on otherwise or ask for other identifiers.
  std::optional<std::vector<float>> row(Way way, std::span<const int> tokens,
                                        const std::vector<int>& identifiers) const;

 private:
  struct Recording {
    nlohmann::json question;  // without what it says of the cache
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
