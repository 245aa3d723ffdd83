#include "rsd/data/trec_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "rsd/data/atomic_file.h"
#include "rsd/data/request_reader.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TrecRequests : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(write_file_atomically(path, content).ok());
    return path;
  }

  Result<std::string> lines(const std::string& run, const std::string& topics,
                            const std::string& corpus,
                            std::optional<std::size_t> depth = std::nullopt) const {
    return trec_request_lines({.run = write("run", run),
                               .topics = write("topics", topics),
                               .corpus = {write("corpus", corpus)},
                               .depth = depth});
  }
  // Through the reader that takes them in.
  static std::vector<Request> parsed(const std::string& lines) {
    RequestReader reader(std::make_unique<std::istringstream>(lines), "lines");
    std::vector<Request> requests;
    while (auto request = *reader.next())
      requests.push_back(*request);
    return requests;
  }
  static std::vector<std::string> ids(const Request& request) {
    std::vector<std::string> all;
    for (const Candidate& candidate : request.candidates)
      all.push_back(candidate.id);
    return all;
  }
  std::string message(const Result<std::string>& failed) const {
    EXPECT_EQ(failed.error().code(), ErrorCode::kInvalidInput);
    return std::string(failed.error().message());
  }

  const std::string folder_ = testing::TempDir() + "/rsd-trec-" + std::to_string(::getpid());
};

const std::string kRun = "q2 Q0 d1 1 9.5 bm25\nq1 Q0 d3 2 1.5 bm25\nq1 Q0 d2 1 7 bm25\n";
const std::string kTopics = "q1\tpeas\nq2\twar\nq3\tnobody asks\n";
const std::string kCorpus = "d1\tone\nd2\ttwo\nd3\tthree\nd4\tfour\n";

TEST_F(TrecRequests, JoinsRunTopicsAndCorpusInTheOrderOfTheRunAndItsScores) {
  const auto requests = parsed(*lines(kRun, kTopics, kCorpus));
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].id, "q2");
  EXPECT_EQ(requests[1].query, "peas");
  EXPECT_THAT(ids(requests[1]), ElementsAre("d2", "d3"));
  EXPECT_EQ(requests[1].candidates[0].text, "two");
  EXPECT_EQ(requests[1].candidates[0].first_stage_score, 7);
}

TEST_F(TrecRequests, DocumentsOfEqualScoresAreInTheOrderOfTheirRanks) {
  const auto requests =
      parsed(*lines("q1 Q0 d3 2 1 t\nq1 Q0 d2 1 1 t\nq1 Q0 d1 3 2 t\n", kTopics, kCorpus));
  EXPECT_THAT(ids(requests[0]), ElementsAre("d1", "d2", "d3"));
}

TEST_F(TrecRequests, OnlyTheFirstSoManyDocumentsAreTakenAndNeeded) {
  const auto requests = parsed(*lines(kRun, kTopics, "d1\tone\nd2\ttwo\n", 1));
  EXPECT_THAT(ids(requests[1]), ElementsAre("d2"));
}

TEST_F(TrecRequests, ReadsBeirsAndAnserinisJson) {
  const auto requests =
      parsed(*lines("1 Q0 a 1 2 t\n1 Q0 b 2 1 t\n", R"({"_id": 1, "text": "peas", "metadata": {}})",
                    "{\"_id\":\"a\",\"title\":\"Peas\",\"text\":\"Soak.\"}\r\n{\"id\":\"b\","
                    "\"contents\":\"War\"}\n"));
  EXPECT_EQ(requests[0].candidates[0].text, "Peas. Soak.");
  EXPECT_EQ(requests[0].candidates[1].text, "War");
}

TEST_F(TrecRequests, ReadsTrecsTopElements) {
  const std::string topics =
      "<top>\n\n<num> Number: q1\n<title> Topic: split\npeas\n\n<desc> Description:\nHow?\n</top>\n"
      "<top>\n<num> q2 </num>\n<title> war </title>\n</top>\n";
  const auto requests = parsed(*lines(kRun, topics, kCorpus));
  EXPECT_EQ(requests[0].query, "war");
  EXPECT_EQ(requests[1].query, "split peas");
}

TEST_F(TrecRequests, TopElementsMayBeInCapitalsAndBehindAnXmlDeclaration) {
  const std::string topics =
      "<?xml version=\"1.0\"?>\n<!-- <title> no </title> -->\n<topics>\n"
      "<TOP>\n<NUM>Number: q1</NUM>\n<TITLE>split peas</TITLE>\n</TOP>\n"
      "<top><num>q2</num><title>war</title></top>\n</topics>\n";
  const auto requests = parsed(*lines(kRun, topics, kCorpus));
  EXPECT_EQ(requests[0].query, "war");
  EXPECT_EQ(requests[1].query, "split peas");
  EXPECT_THAT(message(lines(kRun, "<TOP>\n<NUM>q1\n", kCorpus)), HasSubstr("no </top>"));
  EXPECT_THAT(message(lines(kRun, "<topics>\n</topics>\n", kCorpus)), HasSubstr("no <top>"));
}

TEST_F(TrecRequests, ScoresMayHaveASign) {
  const auto requests = parsed(*lines("q1 Q0 d1 1 +3.5 t\nq1 Q0 d2 2 -1e1 t\n", kTopics, kCorpus));
  EXPECT_EQ(requests[0].candidates[0].first_stage_score, 3.5);
  EXPECT_EQ(requests[0].candidates[1].first_stage_score, -10);
  EXPECT_FALSE(lines("q1 Q0 d1 1 +-3 t\n", kTopics, kCorpus));
}

TEST_F(TrecRequests, DocumentsWithoutATextKeepTheirPlace) {
  const auto requests =
      parsed(*lines("q1 Q0 a 1 3 t\nq1 Q0 b 2 2 t\nq1 Q0 c 3 1 t\n", kTopics,
                    "{\"_id\":\"a\",\"title\":\"\",\"text\":\" \"}\nb\t\nc\tpeas\n"));
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].candidates[0].text, "(empty)");
  EXPECT_EQ(requests[0].candidates[1].text, "(empty)");
  EXPECT_EQ(requests[0].candidates[2].text, "peas");
}

TEST_F(TrecRequests, FaultsAreNamedWithFileAndLine) {
  EXPECT_THAT(message(lines("q1 Q0 d1 1 2\n", kTopics, kCorpus)), HasSubstr("run:1: "));
  EXPECT_THAT(message(lines("q1 Q0 d1 1 high t\n", kTopics, kCorpus)),
              HasSubstr("score \"high\" is no number"));
  EXPECT_THAT(message(lines("q1 Q0 d1 1 2 t\nq1 Q0 d1 2 1 t\n", kTopics, kCorpus)),
              HasSubstr("run:2: document \"d1\" of topic \"q1\" was retrieved"));
  EXPECT_THAT(message(lines(kRun, "q1\tpeas\n", kCorpus)), HasSubstr("topic \"q2\" is not in"));
  EXPECT_THAT(message(lines(kRun, kTopics, "d1\tone\n")),
              HasSubstr("document \"d2\" of topic \"q1\" is not in the corpus"));
  EXPECT_THAT(message(lines(kRun, "q1 peas\n", kCorpus)), HasSubstr("topics:1: "));
  EXPECT_THAT(message(lines(kRun, kTopics, "d1\tone\nd1\tagain\n")), HasSubstr("corpus:2: "));
  EXPECT_THAT(message(lines(kRun, kTopics, "{\"id\":\"d1\"")), HasSubstr("no JSON object"));
  EXPECT_THAT(message(lines(kRun, kTopics, "d1\turl\ttext\n")), HasSubstr("two columns"));
  EXPECT_THAT(message(lines("\x1F\x8B\x08", kTopics, kCorpus)), HasSubstr("compressed"));
  EXPECT_THAT(message(lines("\n", kTopics, kCorpus)), HasSubstr("no lines"));
  EXPECT_THAT(message(lines(kRun, "q1\tpeas\nq2\t \n", kCorpus)),
              HasSubstr("topics:2: topic \"q2\" has no text"));
  EXPECT_EQ(trec_request_lines({.run = folder_ + "/none"}).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
