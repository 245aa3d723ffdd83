// The whole engine against a server that replays exchanges: those of a real vLLM if they exist, and
// always those of the fake server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "remote/protocol.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "rsd/remote/remote_engine.h"
#include "support/bare_exchange.h"
#include "support/fake_engine_server.h"
#include "support/fake_tokenizer.h"
#include "support/recorded_vllm.h"

namespace rsd {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Kind = FakeFault::Kind;
using Json = nlohmann::json;

struct Source {
  std::string name;
  Recordings::Way way;
  bool is_real;

  friend void PrintTo(const Source& source, std::ostream* out) { *out << source.name; }
};

// One verification of a whole list, as a server has answered it.
struct Recorded {
  Prompt prompt;
  std::vector<ItemId> proposal;
  std::string model;
  RecordedExchange exchange;

  EncodingQuery query() const { return {.proposal = proposal, .rows = {0, proposal.size()}}; }
  RowQuestion question() const {
    return {.prompt = prompt.tokens,
            .identifiers = prompt.identifiers,
            .proposal = proposal,
            .rows = {0, proposal.size()}};
  }
};

std::unique_ptr<const Protocol> protocol_of(Recordings::Way way) {
  return way == Recordings::Way::kGenerate ? vllm_generate_protocol() : vllm_completions_protocol();
}

// Asks the fake server.
Recorded made_up(Recordings::Way way) {
  Recorded recorded;
  for (int token = 0; token < 45; ++token)  // so that its blocks extend beyond the prompt
    recorded.prompt.tokens.emplace_back(token);
  for (const int item : {3, 0, 5, 1, 4, 2}) {
    recorded.proposal.emplace_back(item);
    recorded.prompt.identifiers.emplace_back(1000 + static_cast<int>(recorded.proposal.size()));
  }
  const FakeEngineServer server;
  recorded.model = FakeEngineOptions{}.model;
  const auto protocol = protocol_of(way);
  recorded.exchange.question = protocol->body(recorded.question(), recorded.model, CacheUse::kRead);
  BareExchange exchange("127.0.0.1", server.port());
  recorded.exchange.answer =
      exchange.post(std::string(protocol->path()), recorded.exchange.question);
  return recorded;
}

Recorded real(Recordings::Way way) {
  RecordedVllm vllm = RecordedVllm::load();
  return {.prompt = {.tokens = std::move(vllm.prompt), .identifiers = std::move(vllm.identifiers)},
          .proposal = std::move(vllm.proposal),
          .model = vllm.model,
          .exchange = way == Recordings::Way::kGenerate ? vllm.generate : vllm.completions};
}

class Replayed : public testing::TestWithParam<Source> {
 protected:
  void SetUp() override {
    ::setenv("no_proxy", "127.0.0.1", 1);
    recorded_ = GetParam().is_real ? real(GetParam().way) : made_up(GetParam().way);
    const auto protocol = protocol_of(GetParam().way);
    auto parsed = protocol->parse(recorded_.exchange.answer, recorded_.question());
    ASSERT_TRUE(parsed && *parsed);
    rows_ = std::move((*parsed)->rows);
    server_ = std::make_unique<FakeEngineServer>(
        FakeEngineOptions{.model = recorded_.model,
                          .has_generate = GetParam().way == Recordings::Way::kGenerate,
                          .recordings = Recordings({recorded_.exchange})});
    RemoteOptions options;
    options.urls = {server_->url()};
    options.tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{});
    options.patience.answer_timeout = milliseconds(10'000);
    options.patience.backoff = milliseconds(1);
    options.patience.max_backoff = milliseconds(2);
    auto engine = RemoteEngine::connect(options);
    ASSERT_TRUE(engine) << engine.error().message();
    engine_ = *std::move(engine);
    ASSERT_EQ(engine_->protocol(), protocol->name());
    server_->set_faults({});
  }

  Result<Encoding> ask() {
    auto scorer = engine_->open(recorded_.prompt);
    if (!scorer) return scorer.error();
    return (*scorer)->encode(recorded_.query());
  }
  void expect_recorded_rows(const LogitMatrix& rows) const {
    ASSERT_EQ(rows.n_rows(), rows_.n_rows());
    for (std::size_t j = 0; j < rows.n_rows(); ++j)
      EXPECT_TRUE(std::ranges::equal(rows.row(j), rows_.row(j))) << j;
  }

  Recorded recorded_;
  LogitMatrix rows_;  // of the recorded answer
  std::unique_ptr<FakeEngineServer> server_;
  std::unique_ptr<RemoteEngine> engine_;
};

TEST_P(Replayed, TheRecordedQuestionGetsTheRecordedRows) {
  const auto answer = ask();
  ASSERT_TRUE(answer) << answer.error().message();
  expect_recorded_rows(answer->rows);
  ASSERT_EQ(server_->n_questions(), 1U);
  Json asked = Json::parse(server_->bodies().front());
  Json recorded = Json::parse(recorded_.exchange.question);
  for (Json* question : {&asked, &recorded})
    if (question->contains("sampling_params"))
      (*question)["sampling_params"].erase("skip_reading_prefix_cache");
  EXPECT_EQ(asked, recorded);
}

TEST_P(Replayed, ARequestIsRankedByTheRecordedRows) {
  const DecodingOptions options{.decoder = DecoderKind::kRsd,
                                .budget = 1,
                                .first_proposal = *Ranking::create(recorded_.proposal),
                                .policy = blend_policy()};
  const std::size_t n_items = recorded_.proposal.size();
  auto remote = *Decoding::create(n_items, options);
  auto scorer = *engine_->open(recorded_.prompt);
  const auto ranked = run(remote, *scorer);
  ASSERT_TRUE(ranked) << ranked.error().message();

  auto table = *Decoding::create(n_items, options);
  const auto step = *table.next();
  LogitMatrix wanted(step->rows.size(), n_items);
  for (std::size_t j = 0; j < wanted.n_rows(); ++j)
    std::ranges::copy(rows_.row(step->rows.first + j), wanted.row(j).begin());
  ASSERT_TRUE(table.absorb(*step, wanted));
  EXPECT_EQ(ranked->ranking, *table.ranking());
  EXPECT_EQ(ranked->encodings, 1U);
}

TEST_P(Replayed, APromptThatTheServerKnowsGivesTheSameRows) {
  ASSERT_TRUE(ask());
  server_->set_faults({});
  const auto again = ask();
  ASSERT_TRUE(again) << again.error().message();
  expect_recorded_rows(again->rows);
  // vLLM's generate returns null then, and is asked once more.
  const bool is_generate = GetParam().way == Recordings::Way::kGenerate;
  EXPECT_EQ(server_->n_questions(), is_generate ? 2U : 1U);
}

TEST_P(Replayed, FailuresThatPassEndInTheRecordedRows) {
  for (const FakeFault& fault :
       {FakeFault{.kind = Kind::kSlow, .slow_ms = 50}, FakeFault{.kind = Kind::kStatus},
        FakeFault{.kind = Kind::kStatus, .status = 429}, FakeFault{.kind = Kind::kCut},
        FakeFault{.kind = Kind::kSilent}}) {
    server_->set_faults([fault](std::size_t n) { return n == 0 ? fault : FakeFault{}; });
    const auto answer = ask();
    ASSERT_TRUE(answer) << static_cast<int>(fault.kind) << ": " << answer.error().message();
    expect_recorded_rows(answer->rows);
    EXPECT_GE(server_->n_questions(), fault.kind == Kind::kSlow ? 1U : 2U);
  }
}

TEST_P(Replayed, ARecordingThatIsSpoiledIsAnError) {
  for (const Kind kind : {Kind::kOneRowLess, Kind::kOneItemLess, Kind::kNan, Kind::kOtherPrompt,
                          Kind::kNotJson, Kind::kNoRows}) {
    server_->set_faults([kind](std::size_t) { return FakeFault{.kind = kind}; });
    const auto answer = ask();
    ASSERT_FALSE(answer) << static_cast<int>(kind);
    EXPECT_EQ(answer.error().code(), ErrorCode::kRuntime);
    EXPECT_THAT(answer.error().message(), HasSubstr(server_->url()));
  }
}

TEST_P(Replayed, WhatWasNotRecordedIsNotMadeUp) {
  auto other = recorded_.proposal;
  std::ranges::reverse(other);
  auto scorer = *engine_->open(recorded_.prompt);
  const auto answer = scorer->encode({.proposal = other, .rows = {0, other.size()}});
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message(), HasSubstr("nothing is recorded"));
}

INSTANTIATE_TEST_SUITE_P(
    All, Replayed,
    testing::Values(Source{"MadeUpGenerate", Recordings::Way::kGenerate, false},
                    Source{"MadeUpCompletions", Recordings::Way::kCompletions, false},
                    Source{"VllmGenerate", Recordings::Way::kGenerate, true},
                    Source{"VllmCompletions", Recordings::Way::kCompletions, true}),
    [](const auto& source) { return source.param.name; });

}  // namespace
}  // namespace rsd
