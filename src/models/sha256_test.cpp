#include "models/sha256.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace rsd {
namespace {

// FIPS 180-4, the examples of one and of two blocks.
constexpr const char* kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Sha256, IsThatOfTheStandard) {
  Sha256 digest;
  digest.update(std::string_view("abc"));
  EXPECT_EQ(digest.finish(), kOfAbc);
  EXPECT_EQ(Sha256().finish(), kOfNothing);
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  const std::string text(100'000, 'x');
  Sha256 whole;
  whole.update(text);
  Sha256 parts;
  for (std::size_t begin = 0; begin < text.size(); begin += 777)
    parts.update(std::string_view(text).substr(begin, 777));
  EXPECT_EQ(whole.finish(), parts.finish());
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const std::string path = testing::TempDir() + "rsd-sha256-" + std::to_string(::getpid());
  std::ofstream(path) << "abc";
  const auto digest = sha256(path);
  ASSERT_TRUE(digest);
  EXPECT_EQ(*digest, kOfAbc);
  std::filesystem::remove(path);
  EXPECT_EQ(sha256(path).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
