#include "server/http/access_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace rsd::server {
namespace {

using Json = nlohmann::json;

TEST(AccessLog, IsOneLineOfAsciiWhateverTheClientSent) {
  AccessRecord record{.request_id = "a", .client = "::1", .method = "GET", .status = 404};
  record.path = "/x\n\x01\xff" + std::string(10'000, 'y');
  const std::string line = text_line(record);
  EXPECT_LT(line.size(), 400U);
  for (const char c : line)
    EXPECT_TRUE(c >= ' ' && c <= '~');
  const std::string json = json_line(record, "now", "info");
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_EQ(Json::parse(json)["status"], 404);
}

TEST(AccessLog, RankingCallsStateTheirCost) {
  const AccessRecord record{.request_id = "a",
                            .notes = {.n_requests = 1, .n_candidates = 5, .encodings = 3}};
  EXPECT_THAT(text_line(record), testing::HasSubstr("5 candidates, 3 encodings"));
  EXPECT_EQ(Json::parse(json_line(record, "", ""))["encodings"], 3);
}

TEST(RequestId, IsTheClientsWhereItIsAWord) {
  EXPECT_EQ(request_id_or_new("order-66.b:7_x"), "order-66.b:7_x");
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\nb"),
                                 std::string(129, 'a'), std::string("\xc3\xa4")}) {
    EXPECT_EQ(request_id_or_new(bad).size(), 16U) << bad;
    EXPECT_NE(request_id_or_new(bad), request_id_or_new(bad));
  }
}

}  // namespace
}  // namespace rsd::server
