// An LLM on other machines, reached over HTTP: vLLM or SGLang, one replica or several.
//
// A question holds the whole prompt and a proposal; the answer holds the log-probabilities of the
// identifiers at the requested rows. There is no question for the prompt alone: the server's prefix
// cache has it from the first round on. docs/remote-engines.md lists the flags that the servers
// need.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/prompt/tokenizer.h"

namespace rsd {

enum class RemoteServer {
  kVllm,    // /inference/v1/generate if all replicas have it, else /v1/completions
  kSglang,  // /generate
};

// The connections over which the API key may be sent. Anyone on the network path, proxies included,
// can read plain HTTP.
enum class KeyTransport {
  kProtected,  // https, or plain HTTP to this machine itself, without a proxy
  kAnyHttp,    // also plain HTTP to other machines, and through the environment's proxies
};

// Timeouts and retries. Questions change nothing on the server, so any question may be repeated.
struct RemotePatience {
  std::chrono::milliseconds connect_timeout{2000};
  // For one try. A question gets a second try after a timeout if no other replica is left.
  std::chrono::milliseconds answer_timeout{60'000};
  // Further tries of a question with each replica, 0 to 20. The waits between them are backoff,
  // twice that, … at most max_backoff, each shortened at random by up to half.
  std::size_t retries = 4;
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds max_backoff{2000};
  // The longest Retry-After to wait for; a question with a longer one fails.
  std::chrono::milliseconds max_retry_after{30'000};
  // The circuit breaker: a replica that fails this many times in a row, leaves a question without
  // an answer, or can't be used at all gets no questions for open_time. It is then checked (GET
  // /health) and tried with one question; each time this fails, the pause doubles, up to
  // max_open_time.
  std::size_t failures_to_open = 5;
  std::chrono::milliseconds open_time{500};
  std::chrono::milliseconds max_open_time{10'000};
};

// The replicas' description of the model that they serve.
struct ServedModel {
  std::string name;
  std::optional<std::size_t> context_size;  // if they report it
  std::vector<std::string> reached;         // URLs of the replicas that answered
};

struct RemoteOptions {
  RemoteServer server = RemoteServer::kVllm;
  std::vector<std::string> urls;  // the replicas' URLs, http(s)://host[:port][/path], 1 to 64
  std::string model;              // the server's name for it; empty = the first that it lists
  std::string api_key;            // sent as a bearer token; empty = none
  KeyTransport key_transport = KeyTransport::kProtected;
  std::shared_ptr<const Tokenizer> tokenizer;  // the model's
  // Limit for the tokens of prompt and ranking together; 0 = the server's, at most
  // kDefaultMaxContext.
  std::size_t context_size = 0;
  std::size_t parallel = 16;  // the most requests open at a time, 1 to kMaxParallel
  std::size_t max_answer_bytes = std::size_t{16} << 20U;
  // The result of served_model() for these options, which saves connect() a query.
  std::optional<ServedModel> served;
  RemotePatience patience;
  LogSink log;
};

// An LLM on other machines. Not thread-safe. All HTTP exchanges, many at a time, take place in the
// calling thread; nothing is sent or received between calls.
class RemoteEngine final : public LlmEngine {
 public:
  // Totals of the HTTP traffic so far, including the queries of connect().
  struct Traffic {
    std::size_t n_questions = 0;     // answered questions
    std::size_t n_tries = 0;         // HTTP requests for them, failed ones included
    std::size_t sent_bytes = 0;      // bodies
    std::size_t received_bytes = 0;  // bodies
    std::vector<std::size_t>
        served;  // questions answered by each replica, in the order of the URLs
  };

  // Queries the replicas for their models and protocols; those that don't answer are logged.
  // kInvalidArgument: an option out of range, a key that would go over plain HTTP, a model that a
  // replica doesn't serve, or a tokenizer that isn't the model's (if the servers can detect it).
  // kUnsupported: a server that doesn't support such questions. kRuntime: no replica answers.
  static Result<std::unique_ptr<RemoteEngine>> connect(RemoteOptions options);

  // The model that connect() would use; needs no tokenizer. Errors: see connect().
  static Result<ServedModel> served_model(const RemoteOptions& options);

  RemoteEngine(const RemoteEngine&) = delete;
  RemoteEngine& operator=(const RemoteEngine&) = delete;
  ~RemoteEngine() override;

  std::string model_name() const override;
  std::size_t context_size() const noexcept override;
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override;
  std::size_t max_items() const noexcept override;  // the protocol's limit
  // As reported by the servers; a server that reports nothing counts as having encoded all tokens.
  PromptReuse prompt_reuse() const noexcept override;
  // The protocol in use: "vLLM /inference/v1/generate".
  std::string protocol() const;
  Traffic traffic() const;

  // Any number of scorers may be open. kUnsupported: more identifiers than max_items().
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override;
  bool has_room(const Prompt& prompt) const noexcept override;
  void reserve_places(std::size_t n_places) override;
  Result<void> calibrate(CostModel& costs) override;

  // Parts don't wait for each other. kRuntime names the replicas and their errors.
  PartQueue* queue() noexcept override;
  // The same for a pass of parts that are waited for together. Each is billed from the start of the
  // pass to its answer. After an error the answers received so far are remembered, so that a
  // repeated pass asks only for the others.
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override;

 private:
  class State;
  class Scorer;
  explicit RemoteEngine(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
