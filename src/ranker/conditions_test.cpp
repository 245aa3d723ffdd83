#include "rsd/ranker/conditions.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "rsd/decode/policies.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

// A model that is there: only its name, size and time are read.
const EngineOptions kEngine{.model = "tests/models/tiny-bpe.gguf",
                            .policy = std::string(kDefaultPolicy)};

Conditions conditions_of(const RankOptions& options, const EngineOptions& engine = kEngine) {
  auto conditions = ranking_conditions(engine, options);
  EXPECT_TRUE(conditions) << conditions.error().message();
  return conditions ? *std::move(conditions) : Conditions();
}

std::vector<std::string> changed(const RankOptions& before, const RankOptions& now) {
  std::vector<std::string> keys;
  for (const auto& change : changed_conditions(conditions_of(before), conditions_of(now)))
    keys.push_back(change.key);
  return keys;
}

TEST(Conditions, EveryOptionThatChangesRankingsIsOne) {
  EXPECT_THAT(changed({}, {}), ElementsAre());
  EXPECT_THAT(changed({}, {.budget = 5}), ElementsAre("budget"));
  EXPECT_THAT(changed({}, {.deadline = 20ms}), ElementsAre("deadline-ms"));
  EXPECT_THAT(changed({}, {.top_n = 3}), ElementsAre("top-n"));
  EXPECT_THAT(changed({}, {.min_score = 0.5}), ElementsAre("min-score"));
  EXPECT_THAT(changed({}, {.draft = Draft::kInput}), ElementsAre("draft"));
  EXPECT_THAT(changed({}, {.policy = "first-row"}), ElementsAre("policy"));
  EXPECT_THAT(changed({}, {.windows = {.size = 7}}), ElementsAre("windows"));
  EXPECT_THAT(changed({}, {.max_text_tokens = 9}), ElementsAre("max-tokens-per-doc"));
  EXPECT_THAT(changed({}, {.long_texts = LongTexts::kRefuse}), ElementsAre("long-texts"));
  EXPECT_THAT(changed({.decoder = DecoderKind::kStd}, {.decoder = DecoderKind::kAr}),
              ElementsAre("decoder"));
}

TEST(Conditions, TheDefaultBudgetEqualsTheSameBudgetByNumber) {
  EXPECT_THAT(changed({}, {.budget = kDefaultBudget}), ElementsAre());
}

TEST(Conditions, DecodersWithoutABudgetOrAPolicyHaveNone) {
  const Conditions conditions = conditions_of({.decoder = DecoderKind::kStd, .budget = 4});
  EXPECT_EQ(conditions.count("budget"), 0U);
  EXPECT_EQ(conditions.at("policy"), "");
}

TEST(Conditions, WindowsAreNamedWithWhatIsSet) {
  EXPECT_EQ(conditions_of({}).at("windows"), "as needed");
  const WindowChoice windows{.method = WindowMethod::kSliding, .size = 20, .stride = 10};
  EXPECT_EQ(conditions_of({.windows = windows}).at("windows"), "sliding, size 20, stride 10");
}

TEST(Conditions, AdaptersAndTemplatesAreNamedByFile) {
  EngineOptions engine = kEngine;
  engine.loras = {{.path = "tests/models/tiny-lora.gguf", .scale = 0.5}};
  engine.prompt_templates = {"templates/passage.yaml"};
  const Conditions conditions = conditions_of({}, engine);
  EXPECT_THAT(conditions.at("lora"), testing::HasSubstr("x 0.5"));
  EXPECT_THAT(conditions.at("prompt-template"), testing::HasSubstr("passage.yaml"));
  EXPECT_THAT(conditions.at("model"), testing::HasSubstr("tiny-bpe.gguf"));
}

TEST(Conditions, ARemoteLlmIsNamedByItsServersName) {
  EngineOptions engine = kEngine;
  engine.remote.emplace();
  engine.remote->server = RemoteServer::kSglang;
  engine.remote->served = ServedModel{.name = "org/model"};
  const Conditions conditions = conditions_of({}, engine);
  EXPECT_EQ(conditions.at("engine"), "sglang");
  EXPECT_EQ(conditions.at("engine-model"), "org/model");
}

TEST(Conditions, AnUnknownPolicyIsAnError) {
  const auto conditions = ranking_conditions(kEngine, {.policy = "unknown"});
  ASSERT_FALSE(conditions);
  EXPECT_EQ(conditions.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace rsd
