#include "rsd/remote/remote_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "rsd/decode/batch_run.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "support/fake_engine_server.h"
#include "support/fake_tokenizer.h"

namespace rsd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using Kind = FakeFault::Kind;
using Json = nlohmann::json;

constexpr int kFirstIdentifier = 1000;

// Prompts differ by their number, on which the fake server's logits depend.
Prompt prompt(int number, std::size_t n_items) {
  Prompt made;
  for (int token = 0; token < 40; ++token)
    made.tokens.emplace_back(token);
  made.tokens.emplace_back(500 + number);
  made.tokens.emplace_back(41);
  for (std::size_t i = 0; i < n_items; ++i)
    made.identifiers.emplace_back(kFirstIdentifier + static_cast<int>(i));
  return made;
}

// The LLM that the server makes up for it, without a server.
SyntheticScorer direct(const Prompt& of) {
  std::vector<int> tokens;
  for (const TokenId token : of.tokens)
    tokens.push_back(token.value());
  return SyntheticScorer(fake_llm(fake_seed(tokens), of.identifiers.size()));
}

DecodingOptions decoding(DecoderKind decoder, std::optional<std::size_t> budget = std::nullopt) {
  return {.decoder = decoder, .budget = budget, .policy = blend_policy()};
}

// In the order of the input, all rows at once.
struct WholeList {
  explicit WholeList(std::size_t n_items) {
    for (std::size_t i = 0; i < n_items; ++i)
      items.emplace_back(i);
  }
  EncodingQuery query() const { return {.proposal = items, .rows = {0, items.size()}}; }

  std::vector<ItemId> items;
};

// The logits of the right request, row by row.
void expect_rows_of(const Prompt& of, const WholeList& list, const LogitMatrix& rows) {
  const SyntheticScorer llm = direct(of);
  ASSERT_EQ(rows.n_rows(), list.items.size());
  for (std::size_t j = 0; j < rows.n_rows(); ++j)
    for (std::size_t i = 0; i < rows.n_items(); ++i)
      ASSERT_EQ(rows.row(j)[i], llm.logit(std::span(list.items).first(j), ItemId(i)));
}

FakeEngineServer::Faults first_n(std::size_t n, FakeFault fault) {
  return [=](std::size_t question) { return question < n ? fault : FakeFault{}; };
}
FakeEngineServer::Faults always(FakeFault fault) {
  return [=](std::size_t) { return fault; };
}

RemoteOptions options_for(const std::vector<std::string>& urls) {
  ::setenv("no_proxy", "127.0.0.1", 1);
  RemoteOptions options;
  options.urls = urls;
  options.tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{});
  options.patience.backoff = milliseconds(1);
  options.patience.max_backoff = milliseconds(2);
  options.patience.open_time = milliseconds(1);
  options.patience.max_open_time = milliseconds(4);
  return options;
}

std::unique_ptr<RemoteEngine> connected(const RemoteOptions& options) {
  auto engine = RemoteEngine::connect(options);
  EXPECT_TRUE(engine) << engine.error().message();
  return engine ? *std::move(engine) : nullptr;
}

Result<Encoding> ask(RemoteEngine& engine, const Prompt& of,
                     std::optional<Clock::time_point> give_up_at = std::nullopt) {
  const WholeList list(of.identifiers.size());
  auto scorer = engine.open(of);
  if (!scorer) return scorer.error();
  auto query = list.query();
  query.give_up_at = give_up_at;
  return (*scorer)->encode(query);
}

// Many requests' whole lists in one pass.
struct ManyRequests {
  ManyRequests(RemoteEngine& engine, int n) {
    for (int number = 0; number < n; ++number) {
      prompts.push_back(prompt(number, 4 + static_cast<std::size_t>(number) % 5));
      lists.emplace_back(prompts.back().identifiers.size());
      scorers.push_back(*engine.open(prompts.back()));
    }
    for (std::size_t k = 0; k < scorers.size(); ++k)
      parts.push_back({.scorer = scorers[k].get(), .query = lists[k].query()});
  }
  void expect_own_rows(const std::vector<PartResult>& results) const {
    ASSERT_EQ(results.size(), prompts.size());
    for (std::size_t k = 0; k < results.size(); ++k)
      expect_rows_of(prompts[k], lists[k], std::get<Encoding>(results[k]).rows);
  }

  std::vector<Prompt> prompts;
  std::vector<WholeList> lists;
  std::vector<std::unique_ptr<PositionScorer>> scorers;
  std::vector<PassPart> parts;
};

// --- each way of asking --------------------------------------------------------------------------

struct Way {
  const char* name;
  RemoteServer server;
  bool has_generate;
  const char* protocol;
};

class RemoteByEachWay : public testing::TestWithParam<Way> {
 protected:
  RemoteOptions options() const {
    auto options = options_for({server_.url()});
    options.server = GetParam().server;
    return options;
  }
  FakeEngineServer server_{{.has_generate = GetParam().has_generate}};
};

TEST_P(RemoteByEachWay, RankingsAreThoseOfTheLlmItself) {
  const auto engine = connected(options());
  ASSERT_EQ(engine->protocol(), GetParam().protocol);
  for (const std::size_t n_items : {1U, 2U, 5U, 20U}) {
    for (const auto& wanted :
         {decoding(DecoderKind::kAr), decoding(DecoderKind::kSd), decoding(DecoderKind::kExact),
          decoding(DecoderKind::kRsd, 1), decoding(DecoderKind::kRsd, 3)}) {
      const Prompt asked = prompt(static_cast<int>(n_items), n_items);
      auto scorer = *engine->open(asked);
      SyntheticScorer llm = direct(asked);
      auto remote = *Decoding::create(n_items, wanted);
      auto local = *Decoding::create(n_items, wanted);
      const auto ours = run(remote, *scorer);
      const auto right = run(local, llm);
      ASSERT_TRUE(ours) << ours.error().message();
      EXPECT_EQ(ours->ranking, right->ranking);
      EXPECT_EQ(ours->encodings, right->encodings);
      EXPECT_EQ(ours->verified_prefix, right->verified_prefix);
    }
  }
}

TEST_P(RemoteByEachWay, MalformedAnswersAreErrorsAndAskedForOnce) {
  const auto engine = connected(options());
  for (const Kind kind : {Kind::kNotJson, Kind::kOneRowLess, Kind::kOneItemLess, Kind::kNan,
                          Kind::kOtherPrompt, Kind::kTooLong}) {
    server_.set_faults(always({.kind = kind}));
    const auto answer = ask(*engine, prompt(static_cast<int>(kind), 5));
    const bool is_allowed = kind == Kind::kTooLong;  // 4 MiB are
    EXPECT_EQ(answer.ok(), is_allowed) << static_cast<int>(kind);
    if (!answer) {
      EXPECT_EQ(answer.error().code(), ErrorCode::kRuntime);
      EXPECT_THAT(answer.error().message(), HasSubstr(server_.url()));
    }
    EXPECT_EQ(server_.n_questions(), 1U) << static_cast<int>(kind);
  }
}

TEST_P(RemoteByEachWay, AnswersWithoutRowsAreErrors) {
  const auto engine = connected(options());
  server_.set_faults(always({.kind = Kind::kNoRows}));
  EXPECT_FALSE(ask(*engine, prompt(1, 5)));
  EXPECT_LE(server_.n_questions(), 2U);
}

INSTANTIATE_TEST_SUITE_P(
    All, RemoteByEachWay,
    testing::Values(Way{"generate", RemoteServer::kVllm, true, "vLLM /inference/v1/generate"},
                    Way{"completions", RemoteServer::kVllm, false, "vLLM /v1/completions"},
                    Way{"sglang", RemoteServer::kSglang, true, "SGLang /generate"}),
    [](const auto& way) { return way.param.name; });

// --- one server ----------------------------------------------------------------------------------

class Remote : public testing::Test {
 protected:
  RemoteOptions options() const { return options_for({server_.url()}); }
  FakeEngineServer server_;
};

TEST_F(Remote, SaysWhatTheServerSaysOfItsModel) {
  const auto engine = connected(options());
  EXPECT_EQ(engine->model_name(), "made-up");
  EXPECT_EQ(engine->context_size(), 4095U);  // one is left for the unwanted token
  EXPECT_EQ(RemoteEngine::served_model(options())->name, "made-up");
}

TEST_F(Remote, AModelThatIsKnownIsNotAskedForAgain) {
  auto options = this->options();
  options.served = *RemoteEngine::served_model(options);
  const auto engine = connected(options);
  EXPECT_EQ(engine->model_name(), "made-up");
  EXPECT_EQ(engine->context_size(), 4095U);
  EXPECT_EQ(server_.n_listings(), 1U);
}

TEST_F(Remote, AModelThatIsNotServedIsRefused) {
  auto other = options();
  other.model = "another";
  const auto engine = RemoteEngine::connect(other);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(engine.error().message(), AllOf(HasSubstr("made-up"), HasSubstr("another")));
}

TEST_F(Remote, WhatTheServerHasForgottenToTellIsAskedAgainWithoutItsCache) {
  const auto engine = connected(options());
  const Prompt asked = prompt(1, 20);
  ASSERT_TRUE(ask(*engine, asked));
  server_.set_faults({});
  const auto again = ask(*engine, asked);  // now its cache extends beyond the prompt
  ASSERT_TRUE(again) << again.error().message();
  expect_rows_of(asked, WholeList(20), again->rows);
  ASSERT_EQ(server_.n_questions(), 2U);
  const auto skips = [&](std::size_t n) {
    return Json::parse(server_.bodies()[n])["sampling_params"]["skip_reading_prefix_cache"]
        .get<bool>();
  };
  EXPECT_FALSE(skips(0));
  EXPECT_TRUE(skips(1));
}

TEST_F(Remote, TheFirstEncodingCarriesThePromptAndIsBilledForIt) {
  const auto engine = connected(options());
  server_.set_faults({});
  const Prompt asked = prompt(1, 5);
  auto scorer = *engine->open(asked);
  const auto prefill = scorer->prefill(std::nullopt);
  EXPECT_EQ(prefill->n_tokens, asked.tokens.size());
  EXPECT_EQ(prefill->ms, 0);
  EXPECT_EQ(server_.n_questions(), 0U);
  const WholeList list(5);
  EXPECT_EQ(scorer->encode(list.query())->n_tokens, asked.tokens.size() + 4);
  EXPECT_EQ(scorer->encode({.proposal = list.items, .rows = {2, 4}})->n_tokens, 2U);
}

TEST_F(Remote, TheRowOfThePromptAloneIsAskedForOncePerRequest) {
  const auto engine = connected(options());
  auto scorer = *engine->open(prompt(1, 5));
  const EncodingQuery first{.proposal = {}, .rows = {0, 1}};
  const auto once = scorer->encode(first);
  server_.set_faults({});
  scorer->forget_proposals();
  const auto again = scorer->encode(first);
  EXPECT_EQ(server_.n_questions(), 0U);
  EXPECT_EQ(again->ms, once->ms);  // another decoding is billed the same
  EXPECT_EQ(again->n_tokens, once->n_tokens);
}

TEST_F(Remote, LanesAreAskedForAtOnce) {
  const auto engine = connected(options());
  server_.set_faults(always({.kind = Kind::kSlow, .slow_ms = 30}));
  const Prompt asked = prompt(1, 6);
  auto scorer = *engine->open(asked);
  WholeList one(6);
  WholeList other(6);
  std::ranges::reverse(other.items);
  const std::vector queries{one.query(), other.query()};
  const auto encodings = scorer->encode_all(queries);
  ASSERT_TRUE(encodings);
  expect_rows_of(asked, one, (*encodings)[0].rows);
  expect_rows_of(asked, other, (*encodings)[1].rows);
  EXPECT_EQ(server_.most_at_once(), 2U);
}

TEST_F(Remote, FailuresThatPassAreAskedAgain) {
  const auto engine = connected(options());
  const std::vector<FakeFault> faults{{.kind = Kind::kStatus, .status = 500},
                                      {.kind = Kind::kStatus, .status = 502},
                                      {.kind = Kind::kStatus, .status = 503},
                                      {.kind = Kind::kStatus, .status = 504},
                                      {.kind = Kind::kStatus, .status = 408},
                                      {.kind = Kind::kStatus, .status = 429},
                                      {.kind = Kind::kStatus, .status = 429, .retry_after_s = 1},
                                      {.kind = Kind::kCut},
                                      {.kind = Kind::kSilent}};
  int number = 0;
  for (const FakeFault& fault : faults) {
    server_.set_faults(first_n(2, fault));
    const Prompt asked = prompt(++number, 5);
    const auto answer = ask(*engine, asked);
    ASSERT_TRUE(answer) << number << ": " << answer.error().message();
    expect_rows_of(asked, WholeList(5), answer->rows);
    EXPECT_EQ(server_.n_questions(), 3U) << number;
  }
}

TEST_F(Remote, RetriesStopAndTheErrorNamesTheServerAndWhatItSaid) {
  auto options = this->options();
  options.patience.retries = 3;
  options.patience.failures_to_open = 100;
  const auto engine = connected(options);
  server_.set_faults(always({.kind = Kind::kStatus, .status = 503}));
  const auto answer = ask(*engine, prompt(1, 5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(server_.n_questions(), 4U);
  EXPECT_THAT(answer.error().message(),
              AllOf(HasSubstr(server_.url()), HasSubstr("503"), HasSubstr("as the test asked")));
}

TEST_F(Remote, WhatIsRefusedIsNotAskedAgain) {
  auto options = this->options();
  options.patience.open_time = milliseconds(1);
  const auto engine = connected(options);
  for (const int status : {400, 413, 422, 401, 403, 404, 501}) {
    server_.set_faults(always({.kind = Kind::kStatus, .status = status}));
    const auto answer = ask(*engine, prompt(status, 5));
    ASSERT_FALSE(answer);
    EXPECT_EQ(server_.n_questions(), 1U) << status;
    EXPECT_THAT(answer.error().message(), HasSubstr(std::to_string(status)));
  }
}

TEST_F(Remote, WhoIsToldToComeBackTooLateDoesNotWait) {
  auto options = this->options();
  options.patience.max_retry_after = milliseconds(500);
  const auto engine = connected(options);
  server_.set_faults(always({.kind = Kind::kStatus, .status = 429, .retry_after_s = 3600}));
  EXPECT_FALSE(ask(*engine, prompt(1, 5)));
  EXPECT_EQ(server_.n_questions(), 1U);
}

TEST_F(Remote, ASlowAnswerIsAwaitedTwiceOnly) {
  auto options = this->options();
  options.patience.answer_timeout = milliseconds(1000);
  const auto engine = connected(options);
  server_.set_faults(always({.kind = Kind::kSlow, .slow_ms = 60'000}));
  const auto answer = ask(*engine, prompt(1, 5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kRuntime);
  EXPECT_EQ(server_.n_questions(), 2U);
}

TEST_F(Remote, AnAnswerThatIsTooLongIsNotRead) {
  auto options = this->options();
  options.max_answer_bytes = 1U << 20U;
  const auto engine = connected(options);
  server_.set_faults(always({.kind = Kind::kTooLong}));
  const auto answer = ask(*engine, prompt(1, 5));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message(), HasSubstr("longer than is allowed"));
  EXPECT_EQ(server_.n_questions(), 1U);
}

TEST_F(Remote, DeadlinesEndTheWaitingAndTheScorerGoesOn) {
  const auto engine = connected(options());
  server_.set_faults(first_n(1, {.kind = Kind::kSlow, .slow_ms = 5000}));
  const Prompt asked = prompt(1, 5);
  const auto late = ask(*engine, asked, Clock::now() + milliseconds(100));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(ask(*engine, asked));
}

TEST_F(Remote, DeadlinesHoldWhileWaitingToTryAgain) {
  auto options = this->options();
  options.patience.backoff = options.patience.max_backoff = milliseconds(60'000);
  const auto engine = connected(options);
  server_.set_faults(always({.kind = Kind::kStatus, .status = 500}));
  const auto late = ask(*engine, prompt(1, 5), Clock::now() + milliseconds(100));
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(Remote, WhatWasAnsweredBeforeADeadlineIsNotAskedAgain) {
  const auto engine = connected(options());
  const ManyRequests requests(*engine, 4);
  server_.set_faults([](std::size_t question) {
    return question == 3 ? FakeFault{.kind = Kind::kSlow, .slow_ms = 5000} : FakeFault{};
  });
  const auto late = engine->encode_parts(requests.parts, Clock::now() + milliseconds(500));
  ASSERT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);
  const auto results = engine->encode_parts(requests.parts, std::nullopt);
  ASSERT_TRUE(results) << results.error().message();
  requests.expect_own_rows(*results);
  EXPECT_EQ(server_.n_questions(), 5U);
}

TEST_F(Remote, OneRequestsFailureIsItsOwn) {
  const auto engine = connected(options());
  server_.set_faults([](std::size_t question) {
    return question == 2 ? FakeFault{.kind = Kind::kStatus, .status = 400} : FakeFault{};
  });
  CostModel costs;
  BatchRun batch(*engine, &costs);
  std::vector<Prompt> prompts;
  for (int number = 0; number < 5; ++number) {
    prompts.push_back(prompt(number, 6));
    batch.add(static_cast<std::size_t>(number),
              *Decoding::create(6, decoding(DecoderKind::kRsd, 1)), *engine->open(prompts.back()));
  }
  std::size_t n_failed = 0;
  while (batch.size() > 0) {
    for (const auto& finished : batch.step()) {
      if (!finished.outcome) {
        ++n_failed;
        continue;
      }
      SyntheticScorer llm = direct(prompts[finished.ticket]);
      auto local = *Decoding::create(6, decoding(DecoderKind::kRsd, 1));
      EXPECT_EQ(finished.outcome->ranking, run(local, llm)->ranking);
    }
  }
  EXPECT_EQ(n_failed, 1U);
  EXPECT_EQ(server_.n_questions(), 5U);  // none was asked again to find out whose failure it was
}

TEST_F(Remote, NoAnswerIsMixedUpAmongMany) {
  const auto engine = connected(options());
  const ManyRequests requests(*engine, 100);
  // They come back in another order than they went out.
  server_.set_faults([](std::size_t question) {
    return FakeFault{.kind = Kind::kSlow, .slow_ms = static_cast<int>(question * 7919 % 50)};
  });
  const auto results = engine->encode_parts(requests.parts, std::nullopt);
  ASSERT_TRUE(results) << results.error().message();
  requests.expect_own_rows(*results);
  EXPECT_GT(server_.most_at_once(), 1U);
}

TEST_F(Remote, ARequestThatDoesNotFitIsTooLong) {
  auto options = this->options();
  options.context_size = 45;
  const auto engine = connected(options);
  EXPECT_TRUE(engine->open(prompt(1, 3)));
  EXPECT_EQ(engine->open(prompt(1, 4)).error().code(), ErrorCode::kTooLong);
}

TEST_F(Remote, HasRoomForAsManyAsItWasTold) {
  auto options = this->options();
  options.parallel = 2;
  const auto engine = connected(options);
  const auto one = *engine->open(prompt(1, 3));
  EXPECT_TRUE(engine->has_room(prompt(2, 3)));
  const auto two = *engine->open(prompt(2, 3));
  EXPECT_FALSE(engine->has_room(prompt(3, 3)));
}

TEST(RemoteOptions, ThoseOutOfRangeAreRefused) {
  const auto refusal = [](auto change) {
    auto options = options_for({"http://127.0.0.1:1"});
    change(options);
    return RemoteEngine::connect(options).error().code();
  };
  EXPECT_EQ(refusal([](auto& o) { o.urls.clear(); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.urls.push_back("http://127.0.0.1:1/"); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.urls = {"nonsense"}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.parallel = 0; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.patience.retries = 21; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.patience.answer_timeout = milliseconds(0); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal([](auto& o) { o.api_key = "two words"; }), ErrorCode::kInvalidArgument);
}

TEST(RemoteKey, IsSentAsABearerToken) {
  const FakeEngineServer server({.api_key = "s3cret"});
  auto options = options_for({server.url()});
  const auto refused = RemoteEngine::connect(options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("key"));
  options.api_key = "s3cret";
  EXPECT_TRUE(ask(*connected(options), prompt(1, 5)));
}

TEST(RemoteVocabulary, ATokenizerThatIsNotTheModelsIsRefused) {
  const std::string text = "How are 42 split peas ranked? As naïve Bücher, (perhaps) ever so well.";
  const FakeEngineServer same({.detokenized = " " + text});
  EXPECT_TRUE(RemoteEngine::connect(options_for({same.url()})));
  const FakeEngineServer other({.detokenized = "xq" + text});
  const auto refused = RemoteEngine::connect(options_for({other.url()}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("tokenizer is not that of made-up"));
}

TEST(RemoteCompletions, TakeNoMoreThan128Identifiers) {
  const FakeEngineServer server({.has_generate = false});
  const auto engine = connected(options_for({server.url()}));
  EXPECT_EQ(engine->max_items(), 128U);
  EXPECT_TRUE(engine->open(prompt(1, 128)));
  EXPECT_EQ(engine->open(prompt(1, 129)).error().code(), ErrorCode::kUnsupported);
}

TEST(RemoteFailure, AServerThatIsNotThereIsNamed) {
  std::string url;
  {
    const FakeEngineServer server;
    url = server.url();
  }
  const auto engine = RemoteEngine::connect(options_for({url}));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(engine.error().message(), HasSubstr(url));
}

// --- replicas ------------------------------------------------------------------------------------

class Replicas : public testing::Test {
 protected:
  RemoteOptions options() const { return options_for({one_.url(), other_.url()}); }

  FakeEngineServer one_;
  FakeEngineServer other_;
};

TEST_F(Replicas, ShareThePass) {
  const auto engine = connected(options());
  const ManyRequests requests(*engine, 20);
  const auto results = engine->encode_parts(requests.parts, std::nullopt);
  ASSERT_TRUE(results);
  requests.expect_own_rows(*results);
  EXPECT_THAT(engine->traffic().served, testing::ElementsAre(10, 10));
}

TEST_F(Replicas, ServeARequestsRoundsByTheSameOne) {
  const auto engine = connected(options());
  one_.set_faults({});
  other_.set_faults({});
  BatchRun batch(*engine);
  for (int number = 0; number < 12; ++number) {
    batch.add(static_cast<std::size_t>(number), *Decoding::create(8, decoding(DecoderKind::kAr)),
              *engine->open(prompt(number, 8)));
  }
  while (batch.size() > 0)
    for (const auto& finished : batch.step())
      EXPECT_TRUE(finished.outcome);
  const auto requests_of = [](const FakeEngineServer& server) {
    std::set<int> numbers;
    for (const auto& body : server.bodies())
      numbers.insert(Json::parse(body)["token_ids"][40].get<int>());
    return numbers;
  };
  const auto ones = requests_of(one_);
  const auto others = requests_of(other_);
  EXPECT_EQ(ones.size(), 6U);
  EXPECT_EQ(others.size(), 6U);
  for (const int number : ones)
    EXPECT_FALSE(others.contains(number)) << number;
  EXPECT_EQ(one_.n_questions(), 6U * 7U);  // K - 1 encodings each
}

TEST_F(Replicas, OneThatIsKilledAmongManyRequestsLosesNone) {
  const auto engine = connected(options());
  const auto slow = always({.kind = Kind::kSlow, .slow_ms = 40});
  one_.set_faults(slow);
  other_.set_faults(slow);
  const ManyRequests requests(*engine, 200);
  std::thread killer([this] {
    while (one_.n_questions() < 30)
      std::this_thread::sleep_for(milliseconds(1));
    one_.kill();
  });
  const auto results = engine->encode_parts(requests.parts, std::nullopt);
  killer.join();
  ASSERT_TRUE(results) << results.error().message();
  requests.expect_own_rows(*results);
}

TEST_F(Replicas, OneThatIsNotThereAtTheStartIsDoneWithout) {
  auto options = this->options();
  std::string log;
  options.log = [&log](LogLevel level, std::string_view line) {
    if (level == LogLevel::kWarning) log += line;
  };
  one_.kill();
  const auto engine = connected(options);
  EXPECT_THAT(log, HasSubstr(one_.url()));
  EXPECT_TRUE(ask(*engine, prompt(1, 5)));
}

TEST_F(Replicas, WhenAllAreDownTheErrorNamesThem) {
  const auto engine = connected(options());
  one_.kill();
  other_.kill();
  const auto answer = ask(*engine, prompt(1, 5));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(answer.error().message(), AllOf(HasSubstr(one_.url()), HasSubstr(other_.url())));
}

TEST_F(Replicas, OneThatKeepsFailingIsLeftAlone) {
  auto options = this->options();
  options.patience.failures_to_open = 3;
  options.patience.open_time = options.patience.max_open_time = hours(1);
  const auto engine = connected(options);
  one_.set_faults(always({.kind = Kind::kStatus, .status = 500}));
  for (int number = 0; number < 20; ++number)
    EXPECT_TRUE(ask(*engine, prompt(number, 5)));
  EXPECT_EQ(one_.n_questions(), 3U);
}

TEST_F(Replicas, OneThatRefusesToBeAskedIsDoneWithout) {
  auto options = this->options();
  options.patience.open_time = options.patience.max_open_time = hours(1);
  for (const int status : {401, 403, 404, 405, 501}) {
    const auto engine = connected(options);
    one_.set_faults(always({.kind = Kind::kStatus, .status = status}));
    for (int number = 0; number < 5; ++number)
      EXPECT_TRUE(ask(*engine, prompt(number, 5))) << status;
    EXPECT_EQ(one_.n_questions(), 1U) << status;
    one_.set_faults({});
  }
}

TEST_F(Replicas, AQuestionThatIsRefusedIsNotTakenToTheOther) {
  const auto engine = connected(options());
  for (const int status : {400, 413, 422}) {
    one_.set_faults(always({.kind = Kind::kStatus, .status = status}));
    other_.set_faults({});
    EXPECT_FALSE(ask(*engine, prompt(status, 5)));
    EXPECT_EQ(other_.n_questions(), 0U) << status;
  }
}

TEST_F(Replicas, ThoseThatHangLoseNoQuestionAndAreNotRiskedAgain) {
  const FakeEngineServer third;
  auto options = options_for({one_.url(), other_.url(), third.url()});
  options.patience.answer_timeout = milliseconds(1000);
  const auto engine = connected(options);
  for (FakeEngineServer* hung : {&one_, &other_}) {
    hung->set_faults(always({.kind = Kind::kSlow, .slow_ms = 60'000}));
    hung->set_well(false);
  }
  const ManyRequests requests(*engine, 12);
  const auto results = engine->encode_parts(requests.parts, std::nullopt);
  ASSERT_TRUE(results) << results.error().message();
  requests.expect_own_rows(*results);
  EXPECT_EQ(one_.n_questions(), 4U);
  EXPECT_EQ(other_.n_questions(), 4U);
  for (int number = 100; number < 110; ++number)
    EXPECT_TRUE(ask(*engine, prompt(number, 5)));
  EXPECT_EQ(one_.n_questions() + other_.n_questions(), 8U);
}

TEST_F(Replicas, OneThatLeavesAQuestionWithoutAnswerLosesItsOthersAtOnce) {
  auto options = this->options();
  options.patience.answer_timeout = milliseconds(1500);
  const auto engine = connected(options);
  one_.set_faults(always({.kind = Kind::kSlow, .slow_ms = 60'000}));
  one_.set_well(false);
  other_.set_faults(first_n(1, {.kind = Kind::kSlow, .slow_ms = 1000}));
  const ManyRequests requests(*engine, 3);
  PartQueue& queue = *engine->queue();
  const auto first = queue.start(requests.parts[0]);  // to the one that hangs
  queue.start(requests.parts[1]);                     // to the other
  EXPECT_TRUE(queue.wait(Clock::now() + milliseconds(300)).empty());
  queue.start(requests.parts[2]);  // again to the one that hangs, with time left
  for (bool ended = false; !ended;)
    for (const auto& end : queue.wait(Clock::now() + std::chrono::seconds(10)))
      ended = ended || end.ticket == first;
  EXPECT_EQ(one_.n_questions(), 2U);
  EXPECT_EQ(engine->traffic().n_tries, 3U + 2U) << "the first and the third were asked elsewhere";
}

// Some milliseconds pass while the questions are sent; who was to begin in them is not forgotten.
TEST_F(Replicas, AQuestionThatBecomesDueWhileOthersAreSentBeginsAtOnce) {
  auto options = options_for({one_.url()});
  options.patience.backoff = options.patience.max_backoff = milliseconds(10);
  options.patience.connect_timeout = milliseconds(60'000);  // none ends before the test does
  const auto engine = connected(options);
  PartQueue& queue = *engine->queue();
  one_.set_faults([](std::size_t question) {
    if (question == 0) return FakeFault{.kind = Kind::kStatus, .status = 500};
    return FakeFault{.kind = Kind::kSlow, .slow_ms = 60'000};
  });
  const std::size_t n_items = 100;
  const WholeList list(n_items);
  const auto failing = *engine->open(prompt(0, 5));
  const WholeList short_list(5);
  std::vector<std::unique_ptr<PositionScorer>> scorers;
  for (int number = 1; number <= 200; ++number)
    scorers.push_back(*engine->open(prompt(number, n_items)));
  queue.start({.scorer = failing.get(), .query = short_list.query()});
  const std::size_t received = engine->traffic().received_bytes;
  while (engine->traffic().received_bytes == received)
    ASSERT_TRUE(queue.wait(Clock::now() + milliseconds(1)).empty());
  for (const auto& scorer : scorers)
    queue.start({.scorer = scorer.get(), .query = list.query()});
  const auto is_of_the_first = [](const std::string& body) {
    return Json::parse(body)["token_ids"][40].get<int>() == 500;
  };
  const auto n_of_the_first = [&] {
    const auto bodies = one_.bodies();
    return std::ranges::count_if(bodies, is_of_the_first);
  };
  // Half a minute is below what the others take.
  const auto end = Clock::now() + std::chrono::seconds(30);
  while (n_of_the_first() < 2 && Clock::now() < end)
    ASSERT_TRUE(queue.wait(Clock::now() + milliseconds(20)).empty());
  EXPECT_EQ(n_of_the_first(), 2);
}

TEST_F(Replicas, OneThatIsOverloadedAtTheStartChangesNoWayOfAsking) {
  auto options = this->options();
  std::string log;
  options.log = [&log](LogLevel level, std::string_view line) {
    if (level == LogLevel::kWarning) log += line;
  };
  for (const int status : {401, 429, 500, 503}) {
    log.clear();
    one_.set_faults(always({.kind = Kind::kStatus, .status = status}));
    const auto engine = connected(options);
    EXPECT_EQ(engine->protocol(), "vLLM /inference/v1/generate") << status;
    EXPECT_THAT(log, AllOf(HasSubstr(one_.url()), HasSubstr(std::to_string(status))));
  }
  other_.kill();
  EXPECT_EQ(RemoteEngine::connect(options).error().code(), ErrorCode::kRuntime);
}

TEST_F(Replicas, AnotherWayOfAskingThanTheBestIsWarnedOf) {
  const FakeEngineServer old({.has_generate = false});
  auto options = options_for({one_.url(), old.url()});
  std::string log;
  options.log = [&log](LogLevel level, std::string_view line) {
    if (level == LogLevel::kWarning) log += line;
  };
  EXPECT_EQ(connected(options)->protocol(), "vLLM /v1/completions");
  EXPECT_THAT(log,
              AllOf(HasSubstr("is asked by vLLM /v1/completions, since"), HasSubstr(old.url())));
}

TEST_F(Replicas, OneThatIsNotThereAtTheStartIsNotWaitedForWhereAnotherAnswers) {
  auto options = this->options();
  options.patience.backoff = options.patience.max_backoff = std::chrono::seconds(60);
  one_.kill();
  const auto start = Clock::now();
  EXPECT_TRUE(ask(*connected(options), prompt(1, 5)));
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(30));  // half of the shortest pause
}

TEST_F(Replicas, OneThatWasLeftAloneIsAskedAgainWhenItHasRecovered) {
  auto options = this->options();
  options.patience.failures_to_open = 3;
  const auto engine = connected(options);
  one_.set_faults(first_n(5, {.kind = Kind::kStatus, .status = 500}));
  for (int number = 0; number < 10'000 && engine->traffic().served[0] == 0; ++number) {
    ASSERT_TRUE(ask(*engine, prompt(number, 5)));
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_GT(engine->traffic().served[0], 0U);
  EXPECT_GE(one_.n_questions(), 6U);
}

TEST_F(Replicas, OneThatIsBusyIsRelievedByTheOther) {
  auto options = this->options();
  const auto engine = connected(options);
  one_.set_faults(always({.kind = Kind::kStatus, .status = 429, .retry_after_s = 20}));
  for (int number = 0; number < 5; ++number)
    EXPECT_TRUE(ask(*engine, prompt(number, 5)));
  EXPECT_EQ(one_.n_questions(), 1U);
}

TEST(ReplicasOfOtherModels, AreRefused) {
  const FakeEngineServer one({.model = "small"});
  const FakeEngineServer other({.model = "large"});
  const auto engine = RemoteEngine::connect(options_for({one.url(), other.url()}));
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rsd
