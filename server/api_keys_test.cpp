#include "api_keys.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace rsd::server {
namespace {

TEST(ApiKeys, TakeABearerOfAnyOfThem) {
  const ApiKeys keys({"first", "second"});
  EXPECT_TRUE(keys.name_of("Bearer first"));
  EXPECT_TRUE(keys.name_of("bearer  second "));
  for (const char* bad : {"", "Bearer", "Bearer ", "first", "Basic first", "Bearer First",
                          "Bearer firs", "Bearer first second", "Bearer firstsecond"}) {
    EXPECT_FALSE(keys.name_of(bad)) << bad;
  }
}

TEST(ApiKeys, HaveNamesThatStayTheSameInOtherLists) {
  const auto name = ApiKeys({"first", "second"}).name_of("Bearer second").value();
  EXPECT_EQ(ApiKeys({"second"}).name_of("Bearer second"), name);
  EXPECT_NE(ApiKeys({"first"}).name_of("Bearer first"), name);
  EXPECT_EQ(name.find("second"), std::string::npos);
}

TEST(ApiKeys, AreReadFromLines) {
  const std::string path = testing::TempDir() + "rsd_api_keys_test.txt";
  std::ofstream(path) << "one\n\n  two \r\n";
  EXPECT_EQ(ApiKeys::read_file(path).value(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(ApiKeys::parse(" three\n", "X").value(), std::vector<std::string>{"three"});
  EXPECT_EQ(ApiKeys::parse("", "X").error().message(), "X holds no API key");
  std::ofstream(path) << "\n \n";
  EXPECT_EQ(ApiKeys::read_file(path).error().code(), ErrorCode::kInvalidInput);
  std::remove(path.c_str());
  EXPECT_EQ(ApiKeys::read_file(path).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd::server
