#include "rsd/trace/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "support/items.h"
#include "support/logits.h"

namespace rsd {
namespace {

using Json = nlohmann::json;

Trace example() {
  History history(2, kEveryRound);
  EXPECT_TRUE(history.add(items({1, 0}), {0, 2}, matrix({{0.1F, 1.0F / 3.0F}, {-2.5F, 1e-30F}})));
  return {.id = "q\"1",
          .task = Task::kRecommendation,
          .decoder = "rsd",
          .history = std::move(history),
          .ranking = Ranking::create(items({1, 0})).value()};
}

// A line of a file that an older version wrote.
constexpr std::string_view kRecorded =
    R"({"id":"q1","task":"passage","decoder":"rsd","n_items":3,"rounds":[)"
    R"({"proposal":[],"accepted":0,"known":[2],"logits":[[0.10000000149011612,-1.0,2.5]]},)"
    R"({"proposal":[2,0,1],"accepted":1,"known":[2,1,0],)"
    R"("logits":[[0.10000000149011612,-1.0,2.5],[0.25,0.5,-3.0]]}],)"
    R"("ranking":[2,1,0],"split_key":"5eed"})"
    "\n";

TEST(Trace, HeaderNamesFormatAndVersion) {
  const Json header = Json::parse(format_trace_header("model.gguf"));
  EXPECT_EQ(header["format"], "rsd.trace");
  EXPECT_EQ(header["version"], 1);
  EXPECT_EQ(header["model"], "model.gguf");
}

TEST(Trace, IsOneLine) {
  const std::string line = format_trace(example());
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(Trace, BytesThatAreNotUtf8AreReplaced) {
  Trace trace = example();
  trace.id = "q\xff";
  EXPECT_EQ(Json::parse(format_trace(trace))["id"], "q\uFFFD");
  EXPECT_EQ(Json::parse(format_trace_header("m\xff.gguf"))["model"], "m\uFFFD.gguf");
}

TEST(Trace, HasEveryRound) {
  const Json trace = Json::parse(format_trace(example()));
  EXPECT_EQ(trace["id"], "q\"1");
  EXPECT_EQ(trace["task"], "recommendation");
  EXPECT_EQ(trace["n_items"], 2);
  ASSERT_EQ(trace["rounds"].size(), 1U);
  const Json& round = trace["rounds"][0];
  EXPECT_EQ(round["proposal"], Json({1, 0}));
  EXPECT_EQ(round["known"], Json({1, 0}));
  EXPECT_EQ(round["accepted"], 2);
}

TEST(Trace, ARecordedLineIsReadAndWrittenByteForByte) {
  const auto read = parse_trace(kRecorded);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->history.rounds().size(), 2U);
  EXPECT_TRUE(read->history.complete());
  EXPECT_EQ(format_trace(*read), kRecorded);
}

TEST(Trace, LogitsKeepTheirBits) {
  const Trace trace = example();
  const Json logits = Json::parse(format_trace(trace))["rounds"][0]["logits"];
  ASSERT_EQ(logits.size(), 2U);
  for (std::size_t j = 0; j < 2; ++j) {
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(logits[j][i].get<float>(), trace.history.rounds()[0].logits.row(j)[i]);
    }
  }
}

TEST(Trace, IsReadBackAsItWas) {
  Trace trace = example();
  trace.target = Ranking::identity(2);
  trace.split_key = "5eed";
  const auto read = parse_trace(format_trace(trace));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(format_trace(*read), format_trace(trace));
  EXPECT_EQ(read->target, trace.target);
  EXPECT_EQ(read->split_key, "5eed");
  EXPECT_EQ(parse_trace(format_trace(example()))->target, std::nullopt);
  EXPECT_EQ(parse_trace(format_trace(example()))->split_key, "");
}

TEST(Trace, AWindowsNumberStandsBesideTheRequestsOwnId) {
  Trace trace = example();
  trace.id = "q/1";
  trace.window = 3;
  const Json line = Json::parse(format_trace(trace));
  EXPECT_EQ(line["id"], "q/1");
  EXPECT_EQ(line["window"], 3);
  const auto read = parse_trace(format_trace(trace));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->window, 3U);
  EXPECT_EQ(read->id, "q/1");
}

TEST(Trace, LinesWithoutAWindowAreReadAsTheyAre) {
  EXPECT_FALSE(Json::parse(format_trace(example())).contains("window"));
  EXPECT_EQ(parse_trace(format_trace(example()))->window, std::nullopt);
  Trace older = example();
  older.id = "long/2";
  EXPECT_EQ(parse_trace(format_trace(older))->id, "long/2");
}

TEST(Trace, LinesThatNestTooDeeplyAreErrors) {
  const std::string line = R"({"rounds":)" + std::string(1'000'000, '[');
  EXPECT_THAT(parse_trace(line).error().message(),
              ::testing::HasSubstr("nests deeper than 512 levels"));
  EXPECT_FALSE(parse_trace(line + std::string(1'000'000, ']') + "}").ok());
}

TEST(Trace, FaultsOfALineAreReportedByField) {
  const auto fault = [](const char* pointer, const Json& value) {
    Json json = Json::parse(format_trace(example()));
    json[Json::json_pointer(pointer)] = value;
    const auto read = parse_trace(json.dump());
    return read ? std::string("no error") : read.error().message();
  };
  EXPECT_EQ(fault("/id", 3), "id must be a text");
  EXPECT_EQ(fault("/split_key", 3), "split_key must be a text");
  EXPECT_EQ(fault("/task", "x"), "task must be passage or recommendation");
  EXPECT_EQ(fault("/n_items", 0), "n_items must be 1 to 4096");
  EXPECT_EQ(fault("/ranking", {0}), "ranking must hold all 2 items");
  EXPECT_EQ(fault("/target", {1, 1}), "target: item 1 is repeated");
  EXPECT_EQ(fault("/rounds", 1), "rounds must be a list");
  EXPECT_EQ(fault("/rounds/0/proposal", {0, 2}),
            "rounds[0]: proposal: 2 is no item; they are 0 to 1");
  EXPECT_EQ(fault("/rounds/0/accepted", 3), "rounds[0]: accepted is beyond the proposal");
  EXPECT_EQ(fault("/rounds/0/logits", Json::array()),
            "rounds[0]: logits must have 1 to n_items rows");
  EXPECT_EQ(fault("/rounds/0/logits/1", {1}), "rounds[0]: logits must have n_items numbers a row");
  EXPECT_EQ(fault("/rounds/0/logits/1/0", 1e300), "rounds[0]: logits must be finite");
  EXPECT_EQ(fault("/rounds/0/logits/1/0", nullptr), "rounds[0]: logits must be numbers");
  EXPECT_EQ(fault("/rounds/1", Json::parse(format_trace(example()))["rounds"][0]),
            "rounds[1]: all items are known before it");
  EXPECT_EQ(fault("/window", 0), "window must be at least 1");
  EXPECT_EQ(fault("/window", "1"), "window must be a whole number");
  EXPECT_EQ(parse_trace("[]").error().message(), "this is no JSON object");
  EXPECT_THAT(parse_trace("{").error().message(), ::testing::HasSubstr("broken JSON at byte 1"));
  EXPECT_EQ(parse_trace("{}").error().message(), "id is missing");
}

TEST(Trace, ARoundThatDoesNotFollowFromTheOnesBeforeItIsAnError) {
  const auto fault = [](const char* pointer, const Json& value) {
    Json json = Json::parse(kRecorded);
    json[Json::json_pointer(pointer)] = value;
    return parse_trace(json.dump()).error().message();
  };
  EXPECT_EQ(fault("/rounds/1/proposal", {0, 2, 1}),
            "rounds[1]: proposal does not begin with the items known before it");
  EXPECT_EQ(fault("/rounds/1/logits", Json::parse("[[0.1, -1.0, 2.5]]")),
            "rounds[1]: logits has no row that is new");
}

TEST(TraceFile, IsReadWholeOrItsFaultIsReportedByLine) {
  const std::string path =
      ::testing::TempDir() + "rsd_trace_test_" + std::to_string(getpid()) + ".jsonl";
  const auto read = [&](const std::string& content) {
    std::ofstream(path) << content;
    return read_traces(path);
  };
  const std::string header = format_trace_header("m.gguf");
  EXPECT_EQ(read(header + format_trace(example()) + format_trace(example()))->size(), 2U);
  EXPECT_EQ(read(header + format_trace(example()) + "{}\n").error().message(),
            path + ":3: id is missing");
  EXPECT_EQ(read_trace_model(path).value(), "m.gguf");
  EXPECT_EQ(read(header).error().message(), path + " has no traces");
  EXPECT_EQ(read("{}\n").error().message(), path + ":1: this is no trace file of rsd");
  EXPECT_EQ(read(R"({"format":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}")
                .error()
                .message(),
            path + ":1: this is no trace file of rsd");
  EXPECT_EQ(read(R"({"format":"rsd.trace","version":2})").error().message(),
            path + ":1: it is of version 2; this rsd reads version 1");
  std::filesystem::remove(path);
  EXPECT_EQ(read_traces(path).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
