// The cost of a round with a remote engine in addition to the exchange itself, on loopback, with
// fake servers: each round's body is sent by RemoteEngine to one server and by a plain client to
// another. Prints the medians of both, their difference, and the bytes per round. Verifies the rows
// first. Ignores its arguments: ./dev bench passes the same ones to all benchmarks.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/remote/remote_engine.h"
#include "support/bare_exchange.h"
#include "support/fake_engine_server.h"
#include "support/fake_tokenizer.h"

namespace {

using namespace rsd;

constexpr std::size_t kPromptTokens = 600;
constexpr int kRounds = 300;

struct Case {
  const char* path;
  RemoteServer server;
  bool has_generate;
  std::size_t n_items;
};

// Prompts differ from their beginning on, so that no server remembers any.
Prompt prompt(int number, std::size_t n_items) {
  Prompt made;
  for (std::size_t t = 0; t < kPromptTokens; ++t)
    made.tokens.emplace_back(5000 + number * 7 + static_cast<int>(t) * 3);
  for (std::size_t i = 0; i < n_items; ++i)
    made.identifiers.emplace_back(300 + static_cast<int>(i));
  return made;
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

class Measurement {
 public:
  explicit Measurement(const Case& of)
      : case_(of),
        server_({.has_generate = of.has_generate}),
        other_({.has_generate = of.has_generate}),
        bare_("127.0.0.1", other_.port()) {
    for (std::size_t i = 0; i < of.n_items; ++i)
      proposal_.emplace_back(i);
  }

  // False where something is wrong.
  bool run() {
    RemoteOptions options;
    options.server = case_.server;
    options.urls = {server_.url()};
    options.tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{});
    auto engine = RemoteEngine::connect(options);
    if (!engine) return fail(engine.error().message());
    for (int number = 0; number < kRounds; ++number)
      if (!round(**engine, number)) return false;
    report((*engine)->traffic());
    return true;
  }

 private:
  static bool fail(const std::string& what) {
    std::fprintf(stderr, "remote_overhead: %s\n", what.c_str());
    return false;
  }

  bool round(RemoteEngine& engine, int number) {
    server_.set_faults({});
    const Prompt asked = prompt(number, case_.n_items);
    auto scorer = engine.open(asked);
    if (!scorer) return fail(scorer.error().message());
    const auto start = Clock::now();
    const auto encoding = (*scorer)->encode({.proposal = proposal_, .rows = {0, proposal_.size()}});
    const double ms = ms_since(start);
    if (!encoding) return fail(encoding.error().message());
    if (!verified(asked, encoding->rows)) return fail("the rows are of another request");
    const auto bodies = server_.bodies();
    if (bodies.size() != 1) return fail("a round took more than a question");
    const auto bare_start = Clock::now();
    const std::string answer = bare_.post(case_.path, bodies.front());
    const double bare_ms = ms_since(bare_start);
    if (answer.empty()) return fail("the plain client got no answer");
    ours_.push_back(ms);
    bare_times_.push_back(bare_ms);
    sent_ = bodies.front().size();
    received_ = answer.size();
    return true;
  }

  bool verified(const Prompt& asked, const LogitMatrix& rows) const {
    std::vector<int> tokens;
    tokens.reserve(asked.tokens.size());
    for (const TokenId token : asked.tokens)
      tokens.push_back(token.value());
    const SyntheticScorer llm(fake_llm(fake_seed(tokens), case_.n_items));
    for (std::size_t j = 0; j < rows.n_rows(); ++j)
      for (std::size_t i = 0; i < rows.n_items(); ++i)
        if (rows.row(j)[i] != llm.logit(std::span(proposal_).first(j), ItemId(i))) return false;
    return rows.n_rows() == proposal_.size();
  }

  void report(const RemoteEngine::Traffic& traffic) const {
    const double ours = median(ours_);
    const double bare = median(bare_times_);
    std::printf("%-24s K = %3zu: %7.3f ms a round, %7.3f ms the bare exchange, %+.3f ms; ",
                case_.path, case_.n_items, ours, bare, ours - bare);
    std::printf("%zu bytes out, %zu back; %zu tries for %zu rounds\n", sent_, received_,
                traffic.n_tries, traffic.n_questions);
  }

  Case case_;
  FakeEngineServer server_;
  FakeEngineServer other_;
  BareExchange bare_;
  std::vector<ItemId> proposal_;
  std::vector<double> ours_;
  std::vector<double> bare_times_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

}  // namespace

int main() {
  ::setenv("no_proxy", "127.0.0.1", 1);
  const char* const generate = "/inference/v1/generate";
  const char* const completions = "/v1/completions";
  for (const Case& one : {Case{generate, RemoteServer::kVllm, true, 20},
                          Case{generate, RemoteServer::kVllm, true, 100},
                          Case{completions, RemoteServer::kVllm, false, 20},
                          Case{"/generate", RemoteServer::kSglang, true, 20},
                          Case{"/generate", RemoteServer::kSglang, true, 100}}) {
    if (!Measurement(one).run()) return 1;
  }
  return 0;
}
