#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "rsd/eval/bench.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::Not;

BenchedRequest request_of(double prefill_ms, double rsd_decode_ms, double ar_decode_ms) {
  return {.n_items = 20,
          .n_prompt_tokens = 1000,
          .ways = {{.way = "rsd T=2",
                    .encodings = 2,
                    .prefill_ms = prefill_ms,
                    .decode_ms = rsd_decode_ms,
                    .total_ms = prefill_ms + rsd_decode_ms},
                   {.way = "ar", .encodings = 19, .decode_ms = ar_decode_ms}},
          .overhead = 0.01,
          .reuse_speedup = 4};
}

BenchResults results() {
  return {.model = "a-model",
          .policy = "replay",
          .threads = 2,
          .machine = {.cpu = "a CPU", .load_average = {{0.5, 0, 0}}},
          .files = {{.name = "trec",
                     .requests = {request_of(100, 10, 20), request_of(200, 20, 60),
                                  request_of(300, 30, 300)}}}};
}

TEST(BenchReport, HasMediansOfTheRequestsAndOfTheirOwnRatios) {
  const auto json = nlohmann::json::parse(bench_json(results()));
  const auto& file = json["datasets"][0];
  EXPECT_EQ(file["requests"], 3);
  EXPECT_EQ(file["rows"][0]["way"], "ar");
  EXPECT_EQ(file["rows"][0]["decode_p50_ms"], 60);
  EXPECT_EQ(file["rows"][1]["p50_ms"], 220);
  // 2, 3 and 10: of the medians alone it would be 60 / 20 = 3, too, but not at the ends.
  EXPECT_EQ(file["ratios"]["ar_over_rsd_decode"]["p50"], 3);
  EXPECT_EQ(file["ratios"]["ar_over_rsd_decode"]["p10"], 2);
  EXPECT_EQ(file["ratios"]["ar_over_rsd_decode"]["p90"], 10);
  EXPECT_NEAR(file["ratios"]["rsd_over_prefill"]["p50"].get<double>(), 1.1, 1e-9);
}

TEST(BenchReport, NamesThatAreNotUtf8AreShownWithAMark) {
  BenchResults named = results();
  named.files.front().name = "caf\xe9";
  const auto json = nlohmann::json::parse(bench_json(named));
  EXPECT_EQ(json["datasets"][0]["name"], "caf\uFFFD");
}

TEST(BenchReport, PercentilesAreByNearestRank) {
  BenchResults many = results();
  auto& requests = many.files.front().requests;
  requests.assign(10, request_of(100, 10, 20));
  for (std::size_t i = 0; i < requests.size(); ++i)
    requests[i].overhead = static_cast<double>(i + 1);
  const auto json = nlohmann::json::parse(bench_json(many));
  EXPECT_EQ(json["datasets"][0]["ratios"]["overhead"]["p10"], 1);
  EXPECT_EQ(json["datasets"][0]["ratios"]["overhead"]["p50"], 5);
  EXPECT_EQ(json["datasets"][0]["ratios"]["overhead"]["p90"], 9);
}

TEST(BenchReport, LeavesOutWhatWasNotMeasured) {
  const auto json = nlohmann::json::parse(bench_json(results()));
  EXPECT_FALSE(json["datasets"][0]["ratios"].contains("shipped_generation_over_rsd"));
  EXPECT_TRUE(json["shipped_model"].is_null());
  EXPECT_THAT(bench_markdown(results()), Not(HasSubstr("as shipped")));
}

TEST(BenchReport, NamesTheMachineAndItsLoad) {
  EXPECT_THAT(bench_markdown(results()),
              HasSubstr("# Speed of a-model\n\na CPU, 2 threads, load average 0.5"));
  EXPECT_THAT(bench_markdown(results()), HasSubstr("## trec: 3 requests, 20 candidates"));
}

}  // namespace
}  // namespace rsd
