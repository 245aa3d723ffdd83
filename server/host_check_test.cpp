#include "host_check.h"

#include <gmock/gmock.h>

#include "http_server_test.h"

namespace rsd::server {
namespace {

using testing::HasSubstr;

TEST(HostCheck, LoopbackGoesByItsNames) {
  const HostCheck check("127.0.0.1", {});
  for (const char* own : {"localhost", "localhost:8080", "LocalHost.", "127.0.0.1:1", "127.9.9.9",
                          "[::1]:8080", "[::1]", "rsd.localhost:80"}) {
    EXPECT_TRUE(check.takes_host(own)) << own;
  }
  for (const char* foreign : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example",
                              "evillocalhost", "", "[::2]", "10.0.0.1", "127.evil.example"}) {
    EXPECT_FALSE(check.takes_host(foreign)) << foreign;
  }
}

TEST(HostCheck, OthersGoByAnyNameUnlessTheyAreNamed) {
  EXPECT_TRUE(HostCheck("0.0.0.0", {}).takes_host("rsd.internal:8080"));
  const HostCheck named("0.0.0.0", {"rank.example"});
  EXPECT_TRUE(named.takes_host("Rank.Example:443"));
  EXPECT_FALSE(named.takes_host("localhost"));
  EXPECT_TRUE(HostCheck("127.0.0.1", {"*"}).takes_host("any.example"));
}

TEST(HostCheck, PagesMayCallWhereTheyAreFromAndWhereTheyAreNamed) {
  const HostCheck check("127.0.0.1", {});
  EXPECT_TRUE(check.takes_origin("http://localhost:8080", "localhost:8080"));
  for (const char* foreign : {"https://evil.example", "null", "", "http://localhost:3000",
                              "http://localhost:8080.evil.example", "file://"}) {
    EXPECT_FALSE(check.takes_origin(foreign, "localhost:8080")) << foreign;
  }
  EXPECT_TRUE(HostCheck("0.0.0.0", {"rank.example"})
                  .takes_origin("https://rank.example", "127.0.0.1:8080"));
  EXPECT_FALSE(HostCheck("0.0.0.0", {}).takes_origin("https://evil.example", "rsd:8080"));
}

TEST(ContentType, IsJsonsOrIsRefused) {
  for (const char* json : {"application/json", "Application/JSON; charset=utf-8",
                           "application/vnd.api+json", " application/json "}) {
    EXPECT_FALSE(fault_of_type(json)) << json;
  }
  for (const char* other : {"text/plain", "application/x-www-form-urlencoded", "",
                            "multipart/form-data; boundary=application/json", "application/jsonp",
                            "text/plain; application/json", "application/+json"}) {
    EXPECT_TRUE(fault_of_type(other)) << other;
  }
}

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
  HttpOptions options;
  options.keys = ApiKeys({"secret"});
  start(std::move(options));
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}, {"Authorization", "Bearer secret"}}), 200);
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}}), 401);
}

TEST_F(HttpHosts, NamesThatAreGivenCountWithKeysToo) {
  HttpOptions options;
  options.keys = ApiKeys({"secret"});
  options.allowed_hosts = {"rank.example"};
  start(std::move(options));
  EXPECT_EQ(status("/rerank", {{"Host", "rank.example"}, {"Authorization", "Bearer secret"}}), 200);
  EXPECT_EQ(status("/rerank", {{"Host", "localhost"}, {"Authorization", "Bearer secret"}}), 403);
}

TEST_F(HttpHosts, WhatFormsSendIsRefusedAndTold) {
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
