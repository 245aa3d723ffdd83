#include "rsd/models/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/file.h"
#include "rsd/models/find_damage.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Optional;

constexpr const char* kModel = "tests/models/tiny-bpe.gguf";

class Prepare : public testing::Test {
 protected:
  static std::vector<Request> requests() {
    Request request;
    request.id = "tea";
    request.query = "how long to steep green tea";
    request.candidates = {{.id = "a", .text = "Green tea is harvested in spring."},
                          {.id = "b", .text = "Steep green tea for two minutes."},
                          {.id = "c", .text = "Coffee is ground before it is brewed."}};
    return {request, request};
  }

  const TempFolder folder_;
  Preparation preparation_{.model = kModel,
                           .loras = {{.path = "tests/models/tiny-lora.gguf"}},
                           .type = WeightType::kF32,
                           .output = folder_.at("prepared.gguf")};
};

TEST_F(Prepare, MakesAModelOnceAndSealsIt) {
  std::string logged;
  const PrepareOptions options{.threads = 1, .log = [&](LogLevel level, std::string_view line) {
                                 if (level == LogLevel::kInfo) logged += std::string(line) + "\n";
                               }};
  const auto made = prepare(preparation_, options);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(*made);
  EXPECT_THAT(logged, HasSubstr("preparing " + preparation_.output + " from " + kModel));
  EXPECT_EQ(folder_.n_files(), 2U);  // with its record; nothing else is left
  EXPECT_EQ(find_damage(preparation_.output, DamageCheck::kWhole), std::nullopt);
  EXPECT_EQ(*checked_model(preparation_.output), preparation_.output);
  EXPECT_FALSE(*prepare(preparation_, options));
}

TEST_F(Prepare, MakesADamagedModelAnew) {
  ASSERT_TRUE(prepare(preparation_));
  std::ofstream(preparation_.output, std::ios::app) << "!";
  EXPECT_THAT(find_damage(preparation_.output, DamageCheck::kSamples),
              Optional(HasSubstr("in place of")));
  EXPECT_EQ(checked_model(preparation_.output).error().code(), ErrorCode::kInvalidInput);
  EXPECT_TRUE(*prepare(preparation_));
  EXPECT_TRUE(checked_model(preparation_.output));
}

TEST_F(Prepare, TakesAModelWithoutARecordAsItIs) {
  EXPECT_EQ(*checked_model(kModel), kModel);
  EXPECT_THAT(find_damage(kModel, DamageCheck::kSamples), Optional(HasSubstr("no checksum")));
}

TEST_F(Prepare, NeverWritesIntoItsSources) {
  const std::string copy = folder_.at("model.gguf");
  fs::copy_file(kModel, copy);
  preparation_.model = copy;
  preparation_.output = copy;
  EXPECT_EQ(prepare(preparation_).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(*read_file(copy), *read_file(kModel));
}

TEST_F(Prepare, RanksAsItsPartsDo) {
  ASSERT_TRUE(prepare(preparation_));
  std::vector<std::pair<std::size_t, std::size_t>> steps;
  const PrepareOptions options{
      .threads = 1,
      .on_progress = [&](std::size_t done, std::size_t total) { steps.emplace_back(done, total); }};
  const auto agreement = check_agreement(preparation_, requests(), options);
  ASSERT_TRUE(agreement) << agreement.error().message();
  EXPECT_EQ(agreement->requests, 2U);
  EXPECT_EQ(agreement->identical, 1);
  EXPECT_EQ(agreement->kendall_tau, 1);
  EXPECT_THAT(steps, testing::ElementsAre(testing::Pair(0, 4), testing::Pair(1, 4),
                                          testing::Pair(2, 4), testing::Pair(3, 4)));
  EXPECT_EQ(recorded_agreement(preparation_.output), std::nullopt);
  ASSERT_TRUE(record_agreement(preparation_.output, *agreement));
  const auto recorded = recorded_agreement(preparation_.output);
  ASSERT_TRUE(recorded);
  EXPECT_EQ(recorded->requests, 2U);
  EXPECT_EQ(recorded->identical, 1);
  EXPECT_EQ(find_damage(preparation_.output, DamageCheck::kWhole), std::nullopt);
}

TEST_F(Prepare, TriesF16FirstAndLeavesNoTrialBehind) {
  const auto trials = try_types(preparation_, requests(), {.threads = 1});
  ASSERT_TRUE(trials) << trials.error().message();
  EXPECT_EQ(trials->front().type, WeightType::kF16);
  EXPECT_EQ(trials->front().kendall_tau, 1);
  EXPECT_EQ(folder_.n_files(), 0U);
}

TEST(FastestType, IsAmongThoseThatKeepTheRankings) {
  const std::vector<TypeTrial> trials{
      {.type = WeightType::kF16, .answer_ms = 3, .kendall_tau = 1},
      {.type = WeightType::kBf16, .answer_ms = 2, .kendall_tau = kLeastAgreement},
      {.type = WeightType::kQ8_0, .answer_ms = 2.5, .kendall_tau = 0.99},
      {.type = WeightType::kQ4_0, .answer_ms = 1, .kendall_tau = 0.9}};
  EXPECT_EQ(fastest_type(trials), WeightType::kBf16);
}

}  // namespace
}  // namespace rsd
