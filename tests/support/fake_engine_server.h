// A server that answers like vLLM and SGLang, from synthetic logits, and misbehaves on request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/recordings.h"
#include "support/synthetic_scorer.h"

namespace rsd {

struct FakeEngineOptions {
  std::string model = "made-up";
  std::size_t max_model_len = 4096;
  bool has_generate = true;  // vLLM's /inference/v1/generate
  std::string detokenized;   // what /detokenize reads in any tokens; empty: there is none
  std::string api_key;       // that is asked for; empty = none
  int port = 0;              // 0 = any that is free
  // Replayed for questions about their prompt; a proposal without a recording is answered with 400.
  Recordings recordings;
};

// What is done to one question in place of a good answer.
struct FakeFault {
  enum class Kind {
    kNone,
    kSlow,    // the good answer, later
    kStatus,  // with that status
    kCut,     // the connection ends in the middle of the answer
    kSilent,  // the connection ends before the answer
    kNotJson,
    kTooLong,  // megabytes of it
    kOneRowLess,
    kOneItemLess,  // of each row
    kNan,          // in the first row
    kNoRows,       // the field is null, whether or not the question allows the cache
    kOtherPrompt,  // it reports another number of tokens
  };
  Kind kind = Kind::kNone;
  int status = 500;
  int retry_after_s = 0;  // 0 = not reported
  int slow_ms = 0;
};

// A hash of a prompt's tokens, on which the synthetic logits depend.
std::uint64_t fake_seed(std::span<const int> prompt);
// What the server makes of a prompt with so many identifiers, for comparison.
SyntheticOptions fake_llm(std::uint64_t seed, std::size_t n_items);

// Listens on 127.0.0.1. A question's ranking is what stands at its end of the identifiers that it
// names; the tokens before are the prompt. Safe to use from several threads.
class FakeEngineServer {
 public:
  using Faults = std::function<FakeFault(std::size_t question)>;  // by number, from 0

  explicit FakeEngineServer(FakeEngineOptions options = {});
  FakeEngineServer(const FakeEngineServer&) = delete;
  FakeEngineServer& operator=(const FakeEngineServer&) = delete;
  ~FakeEngineServer();

  std::string url() const;
  int port() const noexcept;

  // From the next question on, which gets the number 0.
  void set_faults(Faults faults);
  // Whether it says so, at /health.
  void set_well(bool is_well);
  std::size_t n_questions() const;          // since set_faults, or the start
  std::size_t n_listings() const;           // times that it was asked for its models
  std::size_t most_at_once() const;         // questions
  std::vector<std::string> bodies() const;  // of the questions since then, in order
  // Ends all that is under way without an answer, and listens no more.
  void kill();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd
