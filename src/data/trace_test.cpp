#include "rsd/data/trace.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace rsd
