#include "rsd/data/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace rsd {
namespace {

using Json = nlohmann::json;

Trace example() {
  return {.id = "q\"1",
          .task = Task::kRecommendation,
          .decoder = "rsd",
          .n_items = 2,
          .rounds = {{.proposal = {ItemId(1), ItemId(0)},
                      .accepted = 1,
                      .known = {ItemId(1), ItemId(0)},
                      .n_rows = 2,
                      .logits = {0.1F, 1.0F / 3.0F, -2.5F, 1e-30F}}},
          .ranking = {ItemId(1), ItemId(0)}};
}

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

TEST(Trace, BytesThatAreNoUtf8DoNotStopIt) {
  Trace trace = example();
  trace.id = "q\xff";
  EXPECT_EQ(Json::parse(format_trace(trace))["id"], "q\uFFFD");
  EXPECT_EQ(Json::parse(format_trace_header("m\xff.gguf"))["model"], "m\uFFFD.gguf");
}

TEST(Trace, TellsEveryRound) {
  const Json trace = Json::parse(format_trace(example()));
  EXPECT_EQ(trace["id"], "q\"1");
  EXPECT_EQ(trace["task"], "recommendation");
  EXPECT_EQ(trace["n_items"], 2);
  ASSERT_EQ(trace["rounds"].size(), 1U);
  const Json& round = trace["rounds"][0];
  EXPECT_EQ(round["proposal"], Json({1, 0}));
  EXPECT_EQ(round["known"], Json({1, 0}));
  EXPECT_EQ(round["accepted"], 1);
}

TEST(Trace, LogitsKeepTheirBits) {
  const Trace trace = example();
  const Json logits = Json::parse(format_trace(trace))["rounds"][0]["logits"];
  ASSERT_EQ(logits.size(), 2U);
  for (std::size_t j = 0; j < 2; ++j) {
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(logits[j][i].get<float>(), trace.rounds[0].logits[j * 2 + i]);
    }
  }
}

TEST(Trace, IsReadBackAsItWas) {
  Trace trace = example();
  trace.target = {ItemId(0), ItemId(1)};
  trace.split_key = "5eed";
  const auto read = parse_trace(format_trace(trace));
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(format_trace(*read), format_trace(trace));
  EXPECT_EQ(read->rounds[0].logits, trace.rounds[0].logits);
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

TEST(Trace, LinesThatNestWithoutEndAreTold) {
  const std::string line = R"({"rounds":)" + std::string(1'000'000, '[');
  EXPECT_THAT(parse_trace(line).error().message(),
              ::testing::HasSubstr("nests deeper than 512 levels"));
  EXPECT_FALSE(parse_trace(line + std::string(1'000'000, ']') + "}").ok());
}

TEST(Trace, BadLinesAreToldByField) {
  const auto told = [](const char* pointer, const Json& value) {
    Json json = Json::parse(format_trace(example()));
    json[Json::json_pointer(pointer)] = value;
    const auto read = parse_trace(json.dump());
    return read ? std::string("no error") : read.error().message();
  };
  EXPECT_EQ(told("/id", 3), "id must be a text");
  EXPECT_EQ(told("/split_key", 3), "split_key must be a text");
  EXPECT_EQ(told("/task", "x"), "task must be passage or recommendation");
  EXPECT_EQ(told("/n_items", 0), "n_items must be 1 to 4096");
  EXPECT_EQ(told("/ranking", {0}), "ranking must hold all 2 items");
  EXPECT_EQ(told("/target", {1, 1}), "target: item 1 is repeated");
  EXPECT_EQ(told("/rounds", 1), "rounds must be a list");
  EXPECT_EQ(told("/rounds/0/proposal", {0, 2}),
            "rounds[0]: proposal: 2 is no item; they are 0 to 1");
  EXPECT_EQ(told("/rounds/0/accepted", 3), "rounds[0]: accepted is beyond the proposal");
  EXPECT_EQ(told("/rounds/0/logits", Json::array()),
            "rounds[0]: logits must have 1 to n_items rows");
  EXPECT_EQ(told("/rounds/0/logits/1", {1}), "rounds[0]: logits must have n_items numbers a row");
  EXPECT_EQ(told("/rounds/0/logits/1/0", 1e300), "rounds[0]: logits must be finite");
  EXPECT_EQ(told("/rounds/0/logits/1/0", nullptr), "rounds[0]: logits must be numbers");
  EXPECT_EQ(told("/window", 0), "window must be at least 1");
  EXPECT_EQ(told("/window", "1"), "window must be a whole number");
  EXPECT_EQ(parse_trace("[]").error().message(), "this is no JSON object");
  EXPECT_THAT(parse_trace("{").error().message(), ::testing::HasSubstr("broken JSON at byte 1"));
  EXPECT_EQ(parse_trace("{}").error().message(), "id is missing");
}

TEST(TraceFile, IsReadWholeOrToldByLine) {
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
