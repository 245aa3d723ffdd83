#include "server/http/api_keys.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "support/temp_folder.h"

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
  const TempFolder folder;
  const std::string path = folder.write("keys.txt", "one\n\n  two \r\n");
  EXPECT_EQ(ApiKeys::read_file(path).value(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(ApiKeys::parse(" three\n", "X").value(), std::vector<std::string>{"three"});
  EXPECT_EQ(ApiKeys::parse("", "X").error().message(), "X holds no API key");
  folder.write("keys.txt", "\n \n");
  EXPECT_EQ(ApiKeys::read_file(path).error().code(), ErrorCode::kInvalidInput);
  std::remove(path.c_str());
  EXPECT_EQ(ApiKeys::read_file(path).error().code(), ErrorCode::kNotFound);
}

// The standard library opens a folder as if it were a file, and throws when it is read.
TEST(ApiKeys, AFolderIsNoFileOfThem) {
  const TempFolder folder;
  const auto keys = ApiKeys::read_file(folder.at(""));
  ASSERT_FALSE(keys.ok());
  EXPECT_EQ(keys.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(keys.error().message().find("can't read the API keys: " + folder.at("")),
            std::string::npos);
}

}  // namespace
}  // namespace rsd::server
