#include "server/http/host_check.h"

#include <gtest/gtest.h>

namespace rsd::server {
namespace {

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

}  // namespace
}  // namespace rsd::server
