#include "rsd/eval/setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "rsd/decode/policies.h"

namespace rsd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names(const std::vector<Setting>& settings) {
  std::vector<std::string> texts;
  texts.reserve(settings.size());
  for (const Setting& setting : settings)
    texts.push_back(to_string(setting));
  return texts;
}

TEST(PlanSettings, ListsEveryCombinationAfterTheTarget) {
  const auto settings = plan_settings(
      {.decoders = {DecoderKind::kRsd, DecoderKind::kExact, DecoderKind::kSd, DecoderKind::kStd},
       .budgets = {1, 3},
       .policies = {argmax_policy()},
       .drafts = {Draft::kFirstToken, Draft::kInput}});
  ASSERT_TRUE(settings.ok());
  EXPECT_THAT(
      names(*settings),
      ElementsAre("ar", "std", "sd first-token T=1", "sd first-token T=3", "sd first-token",
                  "sd input T=1", "sd input T=3", "sd input", "exact argmax first-token",
                  "exact argmax input", "rsd argmax first-token T=1", "rsd argmax first-token T=3",
                  "rsd argmax input T=1", "rsd argmax input T=3"));
}

TEST(PlanSettings, NeedsNoPolicyWhereNoDecoderHasOne) {
  const auto settings = plan_settings({.decoders = {DecoderKind::kSd}});
  ASSERT_TRUE(settings.ok());
  EXPECT_THAT(names(*settings), ElementsAre("ar", "sd"));
}

TEST(PlanSettings, WithoutADraftEachSettingHasItsDecodersDefault) {
  const auto settings = plan_settings({.decoders = {DecoderKind::kSd, DecoderKind::kRsd},
                                       .budgets = {1, 2},
                                       .policies = {argmax_policy()}});
  ASSERT_TRUE(settings.ok());
  std::vector<std::optional<Draft>> drafts;
  for (const Setting& setting : *settings)
    drafts.push_back(draft_of(setting));
  EXPECT_THAT(drafts, ElementsAre(std::nullopt, Draft::kFirstToken, Draft::kFirstToken,
                                  Draft::kFirstToken, Draft::kInput, Draft::kFirstToken));
}

TEST(PlanSettings, NamesWhatIsMissingOrRepeated) {
  const auto message = [](const SettingGrid& grid) {
    const auto settings = plan_settings(grid);
    EXPECT_FALSE(settings.ok());
    EXPECT_EQ(settings.error().code(), ErrorCode::kInvalidArgument);
    return settings.error().message();
  };
  EXPECT_THAT(message({}), HasSubstr("no decoders"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kRsd}, .policies = {argmax_policy()}}),
              HasSubstr("rsd needs at least one budget"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kExact}}), HasSubstr("at least one policy"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kSd}, .drafts = {}}),
              HasSubstr("at least one draft"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kSd}, .budgets = {0}}), HasSubstr("budget is 0"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kSd}, .budgets = {2, 2}}),
              HasSubstr("\"sd T=2\" is asked for twice"));
  EXPECT_THAT(message({.decoders = {DecoderKind::kAr, DecoderKind::kAr}}),
              HasSubstr("ar is listed twice"));
}

}  // namespace
}  // namespace rsd
