// An LLM on other machines, asked over HTTP: vLLM or SGLang, one replica or several.
//
// A question is the whole prompt and a proposal; the answer holds the log-probabilities of the
// identifiers at the rows that are wanted. The prompt is not sent alone first: the server's prefix
// cache knows it from the first round on. docs/remote-engines.md says which flags the servers need.
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
  kVllm,    // /inference/v1/generate where all replicas have it, else /v1/completions
  kSglang,  // /generate
};

// Over which connections the API key may go. Others on the way can read what plain HTTP carries,
// and a proxy all of it.
enum class KeyTransport {
  kProtected,  // https, or plain HTTP to this machine itself, which no proxy is asked for
  kAnyHttp,    // plain HTTP to other machines, too, and through the proxies that the environment
               // names
};

// How long is waited, and how often a question is asked again. Only questions are sent, which
// change nothing: any may be repeated.
struct RemotePatience {
  std::chrono::milliseconds connect_timeout{2000};
  // Of one try. A question has a second where no other replica is left.
  std::chrono::milliseconds answer_timeout{60'000};
  // Tries of a question beyond the first with each replica, 0 to 20. Between them is waited:
  // backoff, twice that, … at most max_backoff, each less up to half of it by chance.
  std::size_t retries = 4;
  std::chrono::milliseconds backoff{100};
  std::chrono::milliseconds max_backoff{2000};
  // The longest Retry-After that is waited for; a question that is told to wait longer fails.
  std::chrono::milliseconds max_retry_after{30'000};
  // A replica that fails so many times in a row, leaves a question without an answer or refuses to
  // be asked is left alone for open_time, then looked at (GET /health) and tried by one question;
  // each time that fails it is left alone twice as long, up to max_open_time.
  std::size_t failures_to_open = 5;
  std::chrono::milliseconds open_time{500};
  std::chrono::milliseconds max_open_time{10'000};
};

// What the replicas say of the model that they serve.
struct ServedModel {
  std::string name;
  std::optional<std::size_t> context_size;  // where they tell it
  std::vector<std::string> reached;         // URLs of the replicas that answered
};

struct RemoteOptions {
  RemoteServer server = RemoteServer::kVllm;
  std::vector<std::string> urls;  // of the replicas: http(s)://host[:port][/path], 1 to 64
  std::string model;              // by the server's name for it; empty = the first that it names
  std::string api_key;            // sent as a bearer token; empty = none
  KeyTransport key_transport = KeyTransport::kProtected;
  std::shared_ptr<const Tokenizer> tokenizer;  // the model's
  // Tokens that prompt and ranking may take; 0 = what the server says, at most kDefaultMaxContext.
  std::size_t context_size = 0;
  std::size_t parallel = 16;  // requests that may be open at a time, 1 to kMaxParallel
  std::size_t max_answer_bytes = std::size_t{16} << 20U;
  // What served_model() told with these options, so that connect() needn't ask.
  std::optional<ServedModel> served;
  RemotePatience patience;
  LogSink log;
};

// What went over the wire so far, what was asked before the first request included.
struct RemoteTraffic {
  std::size_t n_questions = 0;      // that were answered
  std::size_t n_tries = 0;          // HTTP requests that were sent for them, or failed
  std::size_t sent_bytes = 0;       // bodies
  std::size_t received_bytes = 0;   // bodies
  std::vector<std::size_t> served;  // questions answered by each replica, in the order of the URLs
};

// Not thread-safe. All HTTP goes on in the calling thread, many questions at a time; nothing is
// sent or received between calls.
class RemoteEngine final : public LlmEngine {
 public:
  // Asks the replicas for their models and what they can do; those that don't answer are logged.
  // kInvalidArgument: an option out of range, a key that would go over plain HTTP, a model that a
  // replica doesn't serve, or a tokenizer that isn't the model's (where the servers can tell).
  // kUnsupported: a server that can't answer such questions. kRuntime: no replica answers.
  static Result<std::unique_ptr<RemoteEngine>> connect(RemoteOptions options);

  // The model that connect() would use; needs no tokenizer. Errors as of connect().
  static Result<ServedModel> served_model(const RemoteOptions& options);

  RemoteEngine(const RemoteEngine&) = delete;
  RemoteEngine& operator=(const RemoteEngine&) = delete;
  ~RemoteEngine() override;

  std::string model_name() const override;
  std::size_t context_size() const noexcept override;
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override;
  std::size_t max_items() const noexcept override;  // that the way of asking takes
  // As the servers tell it; those that don't count as having encoded all.
  PromptReuse prompt_reuse() const noexcept override;
  // The way that questions are asked: "vLLM /inference/v1/generate".
  std::string protocol() const;
  RemoteTraffic traffic() const;

  // Any number may be open. kUnsupported: more identifiers than max_items().
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override;
  bool has_room(const Prompt& prompt) const noexcept override;
  void reserve_places(std::size_t n_places) override;

  // Parts don't wait for each other. kRuntime names the replicas and what they said.
  PartQueue* queue() noexcept override;
  // The same for a pass of parts that end together. Each is billed from the start of the pass to
  // its answer. After an error what was answered by then is remembered, so that who asks again
  // gets it at once.
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override;

 private:
  class State;
  class Scorer;
  explicit RemoteEngine(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace rsd
