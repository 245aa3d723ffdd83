#include "rsd/data/answer_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/items.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;

Request request_of(const std::vector<std::string>& ids) {
  Request request;
  request.id = "q";
  for (const std::string& id : ids)
    request.candidates.push_back({.id = id, .text = "text"});
  return request;
}

TEST(PreviousAnswers, AreDraftsOfTheRequestsThatTheyRanked) {
  const TempFolder folder;
  const auto answers = PreviousAnswers::read(
      folder.write("answers", "{\"id\": \"q\", \"ranking\": [\"c\", \"a\", \"b\"]}\n\n"));
  ASSERT_TRUE(answers) << answers.error().message();
  const auto draft = answers->draft_for(request_of({"a", "b", "c"}));
  ASSERT_TRUE(draft);
  EXPECT_THAT(draft->items(), testing::ElementsAreArray(items({2, 0, 1})));
  Request other = request_of({"a", "b", "c"});
  other.id = "other";
  EXPECT_EQ(answers->draft_for(other), std::nullopt);
}

TEST(PreviousAnswers, PutNewCandidatesLastInTheOrderOfTheInput) {
  const TempFolder folder;
  const auto answers = PreviousAnswers::read(
      folder.write("answers", "{\"id\": \"q\", \"ranking\": [\"gone\", \"b\"]}\n"));
  ASSERT_TRUE(answers);
  EXPECT_THAT(answers->draft_for(request_of({"x", "b", "y"}))->items(),
              testing::ElementsAreArray(items({1, 0, 2})));
  EXPECT_EQ(answers->draft_for(request_of({"x", "y"})), std::nullopt);
}

TEST(PreviousAnswers, CountTheLaterOfTwo) {
  const TempFolder folder;
  const auto answers =
      PreviousAnswers::read(folder.write("answers",
                                         "{\"id\": \"q\", \"ranking\": [\"a\", \"b\"]}\n"
                                         "{\"id\": \"q\", \"ranking\": [\"b\", \"a\"]}\n"));
  ASSERT_TRUE(answers);
  EXPECT_THAT(answers->draft_for(request_of({"a", "b"}))->items(),
              testing::ElementsAreArray(items({1, 0})));
}

TEST(PreviousAnswers, NameTheLineThatIsNone) {
  const TempFolder folder;
  for (const std::string line : {"{", "[]", "{\"id\": \"q\"}", "{\"id\": 1, \"ranking\": []}",
                                 "{\"id\": \"q\", \"ranking\": [1]}"}) {
    const std::string path =
        folder.write("answers", "{\"id\": \"q\", \"ranking\": []}\n" + line + "\n");
    const auto answers = PreviousAnswers::read(path);
    ASSERT_FALSE(answers) << line;
    EXPECT_EQ(answers.error().code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(answers.error().message(), HasSubstr(path + ":2: not an answer"));
  }
  EXPECT_EQ(PreviousAnswers::read(folder.at("none")).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
