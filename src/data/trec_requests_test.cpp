#include "rsd/data/trec_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "rsd/core/file.h"
#include "rsd/data/corpus.h"
#include "rsd/data/request_reader.h"
#include "support/temp_folder.h"

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

  Result<TrecRequestLines> lines(const std::string& run, const std::string& topics,
                                 const std::string& corpus,
                                 std::optional<std::size_t> depth = std::nullopt) const {
    return trec_request_lines({.run = write("run", run),
                               .topics = write("topics", topics),
                               .corpus = {write("corpus", corpus)},
                               .depth = depth});
  }
  // Through the reader that takes them in.
  static std::vector<Request> parsed(const TrecRequestLines& lines) {
    for (const Error& failed : lines.failures)
      ADD_FAILURE() << failed.message();
    RequestReader reader(std::make_unique<std::istringstream>(lines.text), "lines");
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
  static std::string message(const Result<TrecRequestLines>& failed) {
    if (failed) return "none";
    EXPECT_EQ(failed.error().code(), ErrorCode::kInvalidInput);
    return failed.error().message();
  }
  // The failure of the only topic without a request.
  static std::string failure(const Result<TrecRequestLines>& lines) {
    if (!lines) {
      ADD_FAILURE() << "all topics failed: " << lines.error().message();
      return "";
    }
    EXPECT_EQ(lines->n_requests, 1U);
    return lines->failures.size() == 1 ? lines->failures[0].message() : "not one failure";
  }
  // The query of a run that retrieves document "a" for topic "q1".
  std::string query_in(const std::string& topics) const {
    const auto made = lines("q1 Q0 a 1 1 t\n", topics, "a\tA\n");
    return made ? parsed(*made).at(0).query : made.error().message();
  }
  std::string text_in(const std::string& corpus) const {
    const auto made = lines("q1 Q0 a 1 1 t\nq1 Q0 z 2 0 t\n", "q1\tpeas\n", corpus);
    return made ? parsed(*made).at(0).candidates.at(0).text : made.error().message();
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

TEST_F(TrecRequests, ADocumentWithTwoIdsIsNoneOfThem) {
  for (const char* ids : {R"("_id":"a","docid":"b")", R"("id":"b","docno":"a")"}) {
    const std::string corpus = "{" + std::string(ids) + ",\"text\":\"one\"}\nz\tx\n";
    EXPECT_THAT(message(lines("q1 Q0 a 1 1 t\n", kTopics, corpus)), HasSubstr("corpus:1: ")) << ids;
    EXPECT_THAT(message(lines("q1 Q0 b 1 1 t\n", kTopics, corpus)),
                AllOf(HasSubstr("corpus:1: "), HasSubstr("they must be the same")))
        << ids;
  }
  EXPECT_THAT(message(lines("q1 Q0 a 1 1 t\n", kTopics, R"({"_id":"a","docid":"b","text":"x"})")),
              HasSubstr("corpus:1: _id is \"a\" and docid is \"b\"; they must be the same"));
  EXPECT_EQ(text_in("{\"_id\":\"a\",\"docid\":\"a\",\"text\":\"one\"}\nz\tx\n"), "one");
}

TEST_F(TrecRequests, TextsThatMakeNoRequestAreTheTopicsFault) {
  const std::string blank = "q1 Q0 d8 1 2 t\nq1 Q0 d9 2 1 t\n";
  EXPECT_THAT(failure(lines("q2 Q0 d1 1 1 t\n" + blank, kTopics, "d1\tone\nd8\t\nd9\t\n")),
              HasSubstr("run:2: topic \"q1\": candidates has 2 entries, and all their texts are "
                        "blank"));
}

TEST_F(TrecRequests, ReadsTrecsTopElements) {
  const std::string topics =
      "<top>\n\n<num> Number: q1\n<title> Topic: split\npeas\n\n<desc> Description:\nHow?\n</top>\n"
      "<top>\n<num> q2 </num>\n<title> war </title>\n</top>\n";
  const auto requests = parsed(*lines(kRun, topics, kCorpus));
  EXPECT_EQ(requests[0].query, "war");
  EXPECT_EQ(requests[1].query, "split peas");
}

TEST_F(TrecRequests, TopElementsMayBeInCapitalsAndAfterAnXmlDeclaration) {
  const std::string topics =
      "<?xml version=\"1.0\"?>\n<!-- <title> no </title> -->\n<topics>\n"
      "<TOP>\n<NUM>Number: q1</NUM>\n<TITLE>split peas</TITLE>\n</TOP>\n"
      "<top><num>q2</num><title>war</title></top>\n</topics>\n";
  const auto requests = parsed(*lines(kRun, topics, kCorpus));
  EXPECT_EQ(requests[0].query, "war");
  EXPECT_EQ(requests[1].query, "split peas");
  EXPECT_THAT(message(lines("q1 Q0 d1 1 1 t\n", "<TOP>\n<NUM>q1\n", kCorpus)),
              HasSubstr("topics:1: the <top> that begins here has no </top>"));
  EXPECT_THAT(message(lines(kRun, "<topics>\n</topics>\n", kCorpus)), HasSubstr("no <top>"));
}

TEST_F(TrecRequests, ScoresMayHaveASign) {
  const auto requests = parsed(*lines("q1 Q0 d1 1 +3.5 t\nq1 Q0 d2 2 -1e1 t\n", kTopics, kCorpus));
  EXPECT_EQ(requests[0].candidates[0].first_stage_score, 3.5);
  EXPECT_EQ(requests[0].candidates[1].first_stage_score, -10);
  EXPECT_FALSE(lines("q1 Q0 d1 1 +-3 t\n", kTopics, kCorpus));
}

TEST_F(TrecRequests, DocumentsWithoutATextKeepTheirPlaceAndStayBlank) {
  const auto requests = parsed(
      *lines("q1 Q0 a 1 5 t\nq1 Q0 b 2 4 t\nq1 Q0 e 3 3 t\nq1 Q0 f 4 2 t\nq1 Q0 c 5 1 t\n", kTopics,
             "{\"_id\":\"a\",\"title\":\"\",\"text\":\" \"}\nb\t\n"
             "{\"_id\":\"e\",\"text\":null}\nf\nc\tpeas\n"));
  ASSERT_EQ(requests.size(), 1U);
  ASSERT_EQ(requests[0].candidates.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(requests[0].candidates[i].text, "") << i;
  EXPECT_EQ(requests[0].candidates[4].text, "peas");
}

TEST_F(TrecRequests, TheRunsNameMayBeSeveralWords) {
  const auto requests = parsed(*lines("q1 Q0 d1 1 2 my best run\n", kTopics, kCorpus));
  EXPECT_THAT(ids(requests[0]), ElementsAre("d1"));
}

TEST_F(TrecRequests, RunsMayHaveAHeaderAndRanksThatAreFloatingPointNumbers) {
  for (const std::string header :
       {"qid\tQ0\tdocno\trank\tscore\tname\n", "QueryID q0 d r s t\n", ""}) {
    const auto requests =
        parsed(*lines(header + "q1 Q0 d1 2.0 1 t\nq1 Q0 d2 1.0 1 t\n", kTopics, kCorpus));
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_THAT(ids(requests[0]), ElementsAre("d2", "d1"));
  }
  const auto named_query = lines("query Q0 d1 1 1 t\n", "query\tpeas\n", kCorpus);
  EXPECT_EQ(parsed(*named_query).at(0).id, "query") << "a header has no number as rank";
}

TEST_F(TrecRequests, ReadsMsMarcosRuns) {
  const auto requests = parsed(*lines("q1\td2\t2\nq1\td3\t1\r\n", kTopics, kCorpus));
  EXPECT_THAT(ids(requests[0]), ElementsAre("d3", "d2"));
  EXPECT_EQ(requests[0].candidates[0].first_stage_score, std::nullopt);
}

TEST_F(TrecRequests, TopicsComeInManyShapes) {
  for (const std::string topics :
       {"q1\tsplit peas\n", "q1 split peas\n", "q1:split peas\n", "qid\tquery\nq1\tsplit peas\r\n",
        "text\tlang\tquery_id\nsplit peas\ten\tq1\n",
        "{\"_id\":\"q1\",\"text\":\"split peas\",\"metadata\":{\"x\":NaN}}\n",
        "{\"qid\":\"q1\",\"query\":\"split peas\"}\n",
        "{\"query_id\":\"q1\",\"title\":\"split peas\",\"description\":\"no\"}\n",
        "[\n  {\n    \"qid\": \"q1\",\n    \"query\": \"split peas\"\n  }\n]\n",
        "<top>\n<num> Number: q1\n<title> Topic: split\npeas\n</top>\n",
        "<top lang='en'><num>q1</num><EN-title>split peas</EN-title></top>",
        "<topics>\n<topic number=\"q1\" type=\"x\">\n<query>split peas</query>\n<question>How?"
        "</question></topic></topics>",
        "<topic lang=\"en\">\n<identifier>q1</identifier><title>split peas</title></topic>",
        "<topics><topic id = 'q1'>split\npeas</topic></topics>",
        "<queries><query><qid>q1</qid><content>split peas</content></query></queries>",
        "<top><num>q1</num><title></title><desc> Description:\nsplit peas</desc></top>",
        "<topic number='q1'><title><![CDATA[split peas]]></title></topic>",
        "\xEF\xBB\xBF<!-- <top> -->\n<TOP><NUM>q1</NUM><TITLE>split peas</TITLE></TOP>"}) {
    EXPECT_EQ(query_in(topics), "split peas") << topics;
  }
  EXPECT_EQ(query_in("{\"qid\":\"q1\",\"query\":1984}\n"), "1984");
}

TEST_F(TrecRequests, EntitiesInTopicsAreCharacters) {
  EXPECT_EQ(query_in("<topic number=\"q1\"><title>AT&amp;T &lt;b&gt; caf&#233; &#x20AC; &#x1F3AE; "
                     "&quot;&unknown; a < b & c</title></topic>"),
            "AT&T <b> café € 🎮 \"&unknown; a < b & c");
  EXPECT_EQ(query_in("<topic number=\"q1\"><title>&#0; &#xD800; &#x110000; &#;</title></topic>"),
            "&#0; &#xD800; &#x110000; &#;");
}

TEST_F(TrecRequests, ManyTopicsWithoutAnEndAreReadInOnePass) {
  std::string topics;
  for (int i = 0; i < 100'000; ++i)
    topics += "<top><num>x\n";
  EXPECT_THAT(query_in(topics), HasSubstr("topic \"q1\" is not in"));
}

TEST_F(TrecRequests, AmpersandsThatBeginNoEntityAreReadInOnePass) {
  const std::string ampersands(3'000'000, '&');
  EXPECT_EQ(query_in("<top><num>q1<title>" + ampersands + "</top>"), ampersands);
}

TEST_F(TrecRequests, DocumentsComeInManyShapes) {
  const std::string z = "z\tlast\n";
  for (const std::string corpus :
       {"a\tSoak.\tPeas\nz\tx\ty\n", "id\ttext\ttitle\na\tSoak.\tPeas\nz\tx\n",
        "a\thttp://peas\tPeas\tSoak.\nz\t\t\t\n", "title\tdocno\tbody\nPeas\ta\tSoak.\nx\tz\ty\n",
        "{\"docno\":\"a\",\"title\":\"Peas\",\"text\":\"Soak.\"}\nz\tx\n",
        "{\"doc_id\":\"a\",\"title\":\"Peas\",\"body\":\"Soak.\"}\nz\tx\n",
        "{\"pid\":\"a\",\"docid\":\"z\",\"title\":\"Peas\",\"passage\":\"Soak.\"}\nz\tx\n",
        "[{\"id\":\"a\",\"title\":\"Peas\",\n\"contents\":\"Soak.\",\"x\":NaN},\n{\"id\":\"z\","
        "\"text\":\"\"}]\n"}) {
    EXPECT_EQ(text_in(corpus), "Peas. Soak.") << corpus;
  }
  EXPECT_EQ(text_in("{\"id\":\"a\",\"title\":1984,\"text\":\"X\"}\nz\tx\n"), "1984. X");
}

TEST_F(TrecRequests, MetadataThatNobodyReadsMayNest) {
  const std::string metadata = std::string(40, '[') + std::string(40, ']');
  EXPECT_EQ(text_in("{\"id\":\"a\",\"text\":\"A\",\"metadata\":" + metadata + "}\nz\tx\n"), "A");
  EXPECT_THAT(text_in("{\"id\":\"a\",\"text\":" + std::string(1'000'000, '[') + "\nz\tx\n"),
              HasSubstr("corpus:1: the JSON nests deeper than 512 levels"));
}

TEST_F(TrecRequests, LinesThatNobodyAsksForMayBeWrong) {
  const auto made =
      lines(kRun, "q1\tpeas\nbad\nq2\twar\nq3\t \nq4\tx\ty\tz\n",
            "{\n\xFF\td\nd1\tone\nd4\ta\tb\tc\td\te\nno tab\n{\"id\":\"d9\",\"text\":[]}\n"
            "d4\tx\nd4\ty\nd2\ttwo\nd3\tthree\nd3\tthree\n{\"text\":\"no id\"}\n");
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(parsed(*made).size(), 2U);
}

TEST_F(TrecRequests, WhatIsWantedAndWrongCostsItsTopicOnly) {
  EXPECT_THAT(failure(lines(kRun, kTopics, "d1\tone\nd3\tthree\n")),
              HasSubstr("run:3: topic \"q1\": document \"d2\" is not in the corpus"));
  EXPECT_THAT(
      failure(lines(kRun, kTopics, "d1\tone\n{\"id\":\"d2\"\n{}\nd3\tthree\n")),
      HasSubstr("of 2 lines that can't be read the first: " + folder_ + "/corpus:2: broken JSON"));
  EXPECT_THAT(failure(lines(kRun, kTopics, "d1\tone\nd2\ttwo\nd3\tthree\nd2\tagain\n")),
              HasSubstr("corpus:4: document \"d2\" stands twice"));
  EXPECT_THAT(failure(lines(kRun, kTopics, "d1\tone\n{\"id\":\"d2\",\"text\":[1]}\nd3\tthree\n")),
              HasSubstr("corpus:2: document \"d2\": text is [1]; it must be a string"));
  EXPECT_THAT(failure(lines(kRun, kTopics, "d1\tone\n{\"id\":\"d2\"}\nd3\tthree\n")),
              HasSubstr("corpus:2: document \"d2\": the document has no text"));
  EXPECT_THAT(failure(lines(kRun, "q1\tpeas\n", kCorpus)),
              HasSubstr("run: topic \"q2\" is not in " + folder_ + "/topics"));
  EXPECT_THAT(failure(lines(kRun, "q1\tpeas\nq2\t \n", kCorpus)),
              HasSubstr("topics:2: topic \"q2\" has no text"));
  EXPECT_THAT(failure(lines(kRun, "q1\tpeas\nq2\twar\nq2\tpeace\n", kCorpus)),
              HasSubstr("topics:3: topic \"q2\" stands twice"));
  EXPECT_THAT(
      failure(lines(kRun, "{\"qid\":\"q2\",\"_id\":\"q3\",\"text\":\"war\"}\nq1\tpeas\n", kCorpus)),
      HasSubstr("topics:1: _id is \"q3\" and qid is \"q2\""));
  EXPECT_THAT(failure(lines(kRun + "q1 Q0 d4 3 high t\nq1 Q0 d4\n", kTopics, kCorpus)),
              HasSubstr("run:4: score \"high\" is no number"));
  EXPECT_THAT(failure(lines(kRun + "q1 Q0 d2 3 1 t\n", kTopics, kCorpus)),
              HasSubstr("run:4: document \"d2\" of topic \"q1\" was retrieved"));
}

TEST_F(TrecRequests, FaultsAreNamedWithFileAndLine) {
  EXPECT_THAT(message(lines("q1 Q0 d1 1 2\n", kTopics, kCorpus)), HasSubstr("run:1: "));
  EXPECT_THAT(message(lines("q1 Q0 d1 1 high t\n", kTopics, kCorpus)),
              HasSubstr("score \"high\" is no number"));
  EXPECT_THAT(message(lines(kRun, "qx peas\n", kCorpus)), HasSubstr("topic \"q2\" is not in"));
  EXPECT_THAT(message(lines(kRun, "peas\n", kCorpus)), HasSubstr("topics:1: \"peas\" is neither"));
  EXPECT_THAT(message(lines("q1 Q0 d1 1 1 t\n", kTopics, "d1\ta\tb\tc\td\n")),
              HasSubstr("corpus:1: document \"d1\": \"d1 a b c d\" has 5 columns"));
  EXPECT_THAT(message(lines("\x1F\x8B\x08", kTopics, kCorpus)), HasSubstr("compressed"));
  EXPECT_THAT(message(lines("\n", kTopics, kCorpus)), HasSubstr("no lines"));
  EXPECT_THAT(message(lines("qid docid rank\n", kTopics, kCorpus)),
              HasSubstr("run: has no topics"));
  EXPECT_THAT(message(lines(kRun, kTopics, "\x1F\x8B\x08")), HasSubstr("corpus:1: this is compr"));
  EXPECT_THAT(message(lines(kRun, "PK\x03\x04", kCorpus)), HasSubstr("topics:1: this is compr"));
  EXPECT_EQ(trec_request_lines({.run = folder_ + "/none"}).error().code(), ErrorCode::kNotFound);
}

// ---- Whole corpora

class Corpus : public testing::Test {
 protected:
  std::string read(const std::string& text) {
    std::string seen;
    const auto done = for_each_document({folder_.write("corpus", text)},
                                        [&](const CorpusDocument& document) -> Result<void> {
                                          if (document.text == "refused")
                                            return Error(ErrorCode::kRuntime, "no");
                                          seen += document.id + "=" + document.text + ";";
                                          return {};
                                        });
    return done ? seen : done.error().message();
  }

  TempFolder folder_;
};

TEST_F(Corpus, GivesEveryDocumentInOrder) {
  EXPECT_EQ(read("{\"_id\":\"a\",\"title\":\"T\",\"text\":\"x\"}\n\n{\"docid\":7,\"text\":\"\"}\n"
                 "c\tthree\nc\tagain\n"),
            "a=T. x;7=;c=three;c=again;");
}

TEST_F(Corpus, EndsAtTheFirstFaultWithFileAndLine) {
  EXPECT_THAT(read("a\tone\n{\"text\":\"x\"}\nb\ttwo\n"),
              HasSubstr("corpus:2: the document has no id"));
  EXPECT_THAT(read("{\"id\":\"a\",\"text\":[1]}\n"), HasSubstr("corpus:1: document \"a\": text"));
  const std::string refusal = read("a\tone\nb\trefused\nc\tx\n");
  EXPECT_TRUE(refusal.ends_with("corpus:2: no")) << refusal;
  EXPECT_EQ(refusal.find("corpus:2"), refusal.rfind("corpus:2")) << refusal;
  EXPECT_THAT(read("a\tb\tc\td\te\n"), HasSubstr("has 5 columns"));
  EXPECT_THAT(read("\n"), HasSubstr("no lines"));
}

}  // namespace
}  // namespace rsd
