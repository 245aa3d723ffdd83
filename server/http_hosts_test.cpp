// Which names and pages may call a server.
#include <gmock/gmock.h>

#include "server/http_server_test.h"

namespace rsd::server {
namespace {

using testing::HasSubstr;

class HttpHosts : public HttpServerTest {
 protected:
  int status(const std::string& path, const httplib::Headers& headers,
             const std::string& type = kJson) {
    return client().Post(path, headers, kBody, type)->status;
  }
};

TEST_F(HttpHosts, NamesAndPagesOfOthersAreRefusedEverywhere) {
  start();
  const std::string own = "127.0.0.1:" + std::to_string(port_);
  for (const char* path : {"/v1/rerank", "/v1/rank", "/rerank", "/nowhere"}) {
    EXPECT_EQ(status(path, {{"Host", "evil.example"}}), 403) << path;
    EXPECT_EQ(status(path, {{"Host", own}, {"Origin", "https://evil.example"}}), 403) << path;
    EXPECT_EQ(status(path, {{"Host", own}, {"Origin", "null"}}), 403) << path;
    EXPECT_EQ(status(path, {{"Host", own}, {"Host", "evil.example"}}), 403) << path;
  }
  EXPECT_EQ(status("/v1/rerank", {{"Host", own}, {"Origin", "http://" + own}}), 200);
  EXPECT_EQ(status("/v1/rerank", {{"Host", "localhost"}}), 200);
  auto to = client();
  for (const char* path : {"/", "/v1/models", "/metrics", "/openapi.json"})
    EXPECT_EQ(to.Get(path, {{"Host", "evil.example"}})->status, 403) << path;
  EXPECT_EQ(to.Get("/health", {{"Host", "10.1.2.3:8080"}})->status, 200) << "probes have any name";
}

TEST_F(HttpHosts, KeysStandForNamesUnlessTheseAreGiven) {
  start_with_key();
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}, {"Authorization", "Bearer secret"}}), 200);
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}}), 401);
}

TEST_F(HttpHosts, NamesThatAreGivenCountWithKeysToo) {
  HttpServerOptions options;
  options.allowed_hosts = {"rank.example"};
  start_with_key(std::move(options));
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}, {"Authorization", "Bearer secret"}}), 200);
  EXPECT_EQ(status("/rerank", {{"Host", "localhost"}, {"Authorization", "Bearer secret"}}), 403);
}

TEST_F(HttpHosts, WhatFormsSendIsRefusedWithTheReason) {
  start();
  for (const char* type :
       {"application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"}) {
    const auto refused = client().Post("/v1/rerank", kBody, type);
    EXPECT_EQ(refused->status, 415) << type;
    EXPECT_THAT(refused->body, HasSubstr("it must be application/json"));
  }
  RawClient untyped(port_);
  untyped.write(post("/v1/rerank", kBody, "Connection: close\r\n"));
  EXPECT_THAT(untyped.read_all(), HasSubstr("HTTP/1.1 200"));
  RawClient two(port_);
  two.write(
      post("/v1/rerank", kBody, "Content-Type: application/json\r\nContent-Type: text/plain\r\n"));
  EXPECT_THAT(two.read_all(), HasSubstr("HTTP/1.1 415"));
}

}  // namespace
}  // namespace rsd::server
