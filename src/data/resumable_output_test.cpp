#include "rsd/data/resumable_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rsd/rank/presentation.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr AnswerFormat kJsonl = AnswerFormat::kJsonl;
const Conditions kConditions{{"model", "a.gguf"}};

Request request_of(const std::string& id) {
  Request request;
  request.id = id;
  request.query = "tea";
  request.candidates = {{.id = "x", .text = "a text"}};
  return request;
}

std::string line_of(const std::string& id) {
  return "{\"id\":\"" + id + "\",\"decoder\":\"rsd\",\"budget\":2}\n";
}

class Resumable : public testing::Test {
 protected:
  ResumableOutput open(const KeptAnswers& kept = {}, AnswerFormat format = kJsonl) const {
    auto output = ResumableOutput::open(path_, format, kConditions, kept);
    EXPECT_TRUE(output) << output.error().message();
    return *std::move(output);
  }
  // A run that answers one request and half of another.
  void interrupt() const {
    auto output = open();
    ASSERT_TRUE(output.write(request_of("one"), line_of("one")));
    ASSERT_TRUE(output.write(request_of("two"), "{\"id\":\"tw"));
  }

  const TempFolder folder_;
  const std::string path_ = folder_.at("out");
};

TEST_F(Resumable, KeepsTheWholeAnswersOfAnInterruptedRun) {
  interrupt();
  const auto kept = read_kept_answers(path_, kJsonl, kConditions);
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_TRUE(kept->is_interrupted);
  EXPECT_EQ(kept->text, line_of("one"));
  EXPECT_THAT(kept->requests,
              testing::ElementsAre(testing::Pair("one", content_digest(request_of("one")))));
}

TEST_F(Resumable, IsTheSameWhetherItWasInterruptedOrNot) {
  {
    auto output = open();
    ASSERT_TRUE(output.write(request_of("one"), line_of("one")));
    ASSERT_TRUE(output.write(request_of("two"), line_of("two")));
    ASSERT_TRUE(output.commit());
  }
  const std::string answers = folder_.read("out");
  const std::string notes = folder_.read("out.conditions");
  interrupt();
  auto output = open(*read_kept_answers(path_, kJsonl, kConditions));
  ASSERT_TRUE(output.write(request_of("two"), line_of("two")));
  ASSERT_TRUE(output.commit());
  EXPECT_EQ(folder_.read("out"), answers);
  EXPECT_EQ(folder_.read("out.conditions"), notes);
  EXPECT_EQ(folder_.n_files(), 2U);
}

TEST_F(Resumable, NeverGoesOnUnderOtherConditions) {
  interrupt();
  const auto kept = read_kept_answers(path_, kJsonl, {{"model", "a.gguf"}, {"lora", "b.gguf"}});
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(kept.error().message(),
              HasSubstr("was made with lora \"nothing\"; it can't be resumed with \"b.gguf\""));
}

TEST_F(Resumable, NeverGoesOnWithAnswersOfWhichNothingIsKnown) {
  folder_.write("out", line_of("one"));
  const auto kept = read_kept_answers(path_, kJsonl, kConditions);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(kept.error().message(), HasSubstr("out.conditions"));
}

TEST_F(Resumable, DropsTheLastRequestOfAnInterruptedTrecRun) {
  {
    auto output = open({}, AnswerFormat::kTrec);
    ASSERT_TRUE(output.write(request_of("1"), "1 Q0 x 1 1 rsd\n1 Q0 y 2 0.5 rsd\n"));
    ASSERT_TRUE(output.write(request_of("2"), "2 Q0 x 1 1 rsd\n"));
  }
  const auto kept = read_kept_answers(path_, AnswerFormat::kTrec, kConditions);
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_EQ(kept->text, "1 Q0 x 1 1 rsd\n1 Q0 y 2 0.5 rsd\n");
  EXPECT_FALSE(kept->requests.contains("2"));
}

// What a run leaves that is killed while it takes over the answers of a finished one.
TEST_F(Resumable, FinishedAnswersAreKeptThoughTakingThemOverWasInterrupted) {
  {
    auto output = open();
    ASSERT_TRUE(output.write(request_of("one"), line_of("one")));
    ASSERT_TRUE(output.commit());
  }
  const auto expect_kept = [&] {
    const auto kept = read_kept_answers(path_, kJsonl, kConditions);
    ASSERT_TRUE(kept) << kept.error().message();
    EXPECT_EQ(kept->text, line_of("one"));
    EXPECT_EQ(kept->requests.at("one"), content_digest(request_of("one")));
  };
  folder_.write("out.partial", "");
  expect_kept();
  folder_.write("out.partial", line_of("one"));
  expect_kept();
  folder_.write("out.conditions.partial", "");
  expect_kept();
  folder_.write("out.partial", "");
  expect_kept();
}

TEST_F(Resumable, ARunThatWasToMakeAllAnewKeepsNoFinishedAnswers) {
  {
    auto output = open();
    ASSERT_TRUE(output.write(request_of("one"), line_of("one")));
    ASSERT_TRUE(output.commit());
  }
  { const auto anew = open(); }
  const auto kept = read_kept_answers(path_, kJsonl, kConditions);
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_THAT(kept->requests, IsEmpty());
}

TEST_F(Resumable, NamesTheLineThatIsNoAnswer) {
  folder_.write("out", line_of("one") + "something else\n");
  const auto kept = read_kept_answers(path_, kJsonl, kConditions);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(kept.error().message(), HasSubstr(path_ + ":2:"));
}

TEST_F(Resumable, TablesAreNoneAndLeaveNoConditions) {
  EXPECT_EQ(read_kept_answers(path_, AnswerFormat::kTable, kConditions).error().code(),
            ErrorCode::kInvalidArgument);
  auto output = open({}, AnswerFormat::kTable);
  ASSERT_TRUE(output.commit());
  EXPECT_EQ(folder_.n_files(), 1U);
}

TEST_F(Resumable, NothingIsKeptWhereNothingIs) {
  const auto kept = read_kept_answers(path_, kJsonl, kConditions);
  ASSERT_TRUE(kept);
  EXPECT_THAT(kept->requests, IsEmpty());
  auto output = open();
  output.discard();
  EXPECT_EQ(folder_.n_files(), 0U);
}

}  // namespace
}  // namespace rsd
