#include "api_keys.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace rsd::server {
namespace {

TEST(ApiKeys, TakeABearerOfAnyOfThem) {
  const ApiKeys keys({"first", "second"});
  EXPECT_TRUE(keys.number_of("Bearer first"));
  EXPECT_TRUE(keys.number_of("bearer  second "));
  for (const char* bad : {"", "Bearer", "Bearer ", "first", "Basic first", "Bearer First",
                          "Bearer firs", "Bearer first second", "Bearer firstsecond"}) {
    EXPECT_FALSE(keys.number_of(bad)) << bad;
  }
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
