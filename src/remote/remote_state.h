// What a remote engine and its scorers share.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "remote/dispatcher.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

struct RemoteEngine::State {
  std::unique_ptr<Dispatcher> dispatcher;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::size_t context_size = 0;
  std::size_t parallel = 1;
  std::vector<Scorer*> scorers;  // that are open
  PromptReuse reuse;

  // What becomes of an error, beside being returned.
  enum class Failures {
    kForget,
    kRemember,  // the next one who asks the same gets it, once
  };

  struct Asked {
    Scorer* scorer = nullptr;
    const EncodingQuery* query = nullptr;
  };
  // All at once, in order. kDeadlineExceeded when `give_up_at` passes before all are answered; the
  // first error otherwise. What was answered is remembered in any case.
  Result<std::vector<Encoding>> encode(std::span<const Asked> asked,
                                       std::optional<Clock::time_point> give_up_at,
                                       Failures failures);
};

}  // namespace rsd
