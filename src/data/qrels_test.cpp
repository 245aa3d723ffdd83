#include "rsd/data/qrels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "rsd/core/file.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class QrelsFile : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  Result<Qrels> read(std::string_view content) {
    EXPECT_TRUE(write_file_atomically(path_, content).ok());
    return read_qrels(path_);
  }

  const std::string path_ = testing::TempDir() + "/rsd-qrels-" + std::to_string(::getpid());
};

TEST_F(QrelsFile, GroupsGradesByQuery) {
  const auto qrels = read("q1 0 d1 3\nq2 0 d1 0\nq1 Q0 d2 -1\n");
  ASSERT_TRUE(qrels.ok());
  EXPECT_EQ(*qrels, (Qrels{{"q1", {{"d1", 3}, {"d2", -1}}}, {"q2", {{"d1", 0}}}}));
}

TEST_F(QrelsFile, AcceptsTabsRunsOfSpacesBlankLinesAndNoLastLineEnd) {
  const auto qrels = read("\n  q1\t0\td1 \t 1  \n \n\nq1 0 d2 2");
  ASSERT_TRUE(qrels.ok());
  EXPECT_EQ(*qrels, (Qrels{{"q1", {{"d1", 1}, {"d2", 2}}}}));
}

TEST_F(QrelsFile, AcceptsWindowsLineEndsAndAByteOrderMark) {
  const auto qrels = read("\xEF\xBB\xBFq1 0 d1 1\r\n\r\nq1 0 d2 2\r\n");
  ASSERT_TRUE(qrels.ok());
  EXPECT_EQ(*qrels, (Qrels{{"q1", {{"d1", 1}, {"d2", 2}}}}));
}

TEST_F(QrelsFile, AcceptsBeirsThreeColumnsAfterTheirNames) {
  const Qrels expected{{"q1", {{"d1", 1}, {"d2", 2}}}};
  for (const std::string names :
       {"query-id\tcorpus-id\tscore\n", "\xEF\xBB\xBFquery_id\tdoc_id\trelevance\r\n", ""}) {
    const auto qrels = read(names + "q1\td1\t1\nq1\td2\t2\n");
    ASSERT_TRUE(qrels.ok()) << qrels.error().message();
    EXPECT_EQ(*qrels, expected);
  }
  EXPECT_EQ(*read("TOPIC ITERATION DOCUMENT# RELEVANCY\nq1 0 d1 1\nq1 0 d2 2\n"), expected);
}

TEST_F(QrelsFile, AQueryWhoseIdIsAColumnsNameIsNoHeader) {
  EXPECT_EQ(*read("query 0 d1 1\n"), (Qrels{{"query", {{"d1", 1}}}}));
}

TEST_F(QrelsFile, AcceptsGradesThatAreWrittenAsFloatingPointNumbers) {
  EXPECT_EQ(*read("q1 0 d1 1.0\nq1 0 d2 -2e0\nq1 0 d3 +3\n"),
            (Qrels{{"q1", {{"d1", 1}, {"d2", -2}, {"d3", 3}}}}));
}

TEST_F(QrelsFile, CompressedFilesAndUtf16AreNamedAsWhatTheyAre) {
  EXPECT_THAT(read("\x1F\x8B\x08").error().message(), HasSubstr("compressed (gzip)"));
  EXPECT_THAT(read(std::string_view("\xFF\xFEq\0", 4)).error().message(), HasSubstr("UTF-16"));
}

TEST_F(QrelsFile, AcceptsTheSameDocumentInTwoQueries) {
  EXPECT_TRUE(read("q1 0 d 1\nq2 0 d 1\n").ok());
}

TEST_F(QrelsFile, BadLinesAreNamedWithTheirFault) {
  struct Case {
    std::string line;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"q1 d2", "\"q1 d2\" has 2 fields; it must have 4: qid, iteration, docid, grade, or 3: "},
      {"q1 0 d2", "grade \"d2\" must be an integer"},
      {"q1 0 d2 1 run", "has 5 fields"},
      {"one", "\"one\" has 1 fields"},
      {"q1 0 d2 high", "grade \"high\" must be an integer"},
      {"q1 0 d2 1.5", "grade \"1.5\" must be an integer"},
      {"q1 0 d2 nan", "grade \"nan\" must be an integer"},
      {"q1 0 d2 +-1", "grade \"+-1\" must be an integer"},
      {"query-id corpus-id score", "grade \"score\" must be an integer"},
      {"q1 0 d2 1x", "grade \"1x\""},
      {"q1 0 d2 0x1", "grade \"0x1\""},
      {"q1 0 d2 2147483648", "grade \"2147483648\" must be an integer between -2147483648 and"},
      {"q1 0 d1 2", "document \"d1\" of query \"q1\" was judged by an earlier line"},
      {"q1 0 d1 1", "document \"d1\" of query \"q1\" was judged by an earlier line"},
      {"q1 0 \xFF 1", "invalid UTF-8 at byte offset 5"},
  };
  for (const auto& [line, message] : cases) {
    SCOPED_TRACE(line);
    const auto qrels = read("q1 0 d1 1\n\n" + line + "\nq9 0 d9 1\n");
    ASSERT_FALSE(qrels.ok());
    EXPECT_EQ(qrels.error().code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(qrels.error().message(), StartsWith(path_ + ":3: "));
    EXPECT_THAT(qrels.error().message(), HasSubstr(message));
  }
}

TEST_F(QrelsFile, LongValuesAreCutInMessages) {
  const auto qrels = read("q1 0 d1 " + std::string(100'000, '9') + "\n");
  ASSERT_FALSE(qrels.ok());
  EXPECT_LT(qrels.error().message().size(), path_.size() + 200);
  EXPECT_THAT(qrels.error().message(), HasSubstr("999…\""));
}

TEST_F(QrelsFile, AFileWithoutJudgementsIsInvalid) {
  EXPECT_FALSE(read("query-id\tcorpus-id\tscore\n").ok());
  for (const std::string content : {"", "\n\n  \n", "\xEF\xBB\xBF"}) {
    const auto qrels = read(content);
    ASSERT_FALSE(qrels.ok());
    EXPECT_EQ(qrels.error().code(), ErrorCode::kInvalidInput);
    EXPECT_EQ(qrels.error().message(), path_ + ": has no lines");
  }
}

TEST(Qrels, AMissingFileIsNotFound) {
  const auto qrels = read_qrels(testing::TempDir() + "/rsd-no-such-qrels");
  ASSERT_FALSE(qrels.ok());
  EXPECT_EQ(qrels.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
