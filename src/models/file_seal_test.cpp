#include "models/file_seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;
using testing::Optional;

class FileSealTest : public testing::Test {
 protected:
  void write(const std::string& content) { folder_.write("file", content); }
  FileSeal seal() {
    const auto seal = seal_of(path_);
    EXPECT_TRUE(seal);
    return *seal;
  }

  const TempFolder folder_;
  const std::string path_ = folder_.at("file");
};

TEST_F(FileSealTest, FitsTheFileThatWasSealed) {
  for (const std::string& content :
       {std::string(), std::string("a"), std::string(5'000'000, 'b')}) {
    write(content);
    EXPECT_EQ(find_damage(path_, seal(), DamageCheck::kSamples), std::nullopt);
    EXPECT_EQ(find_damage(path_, seal(), DamageCheck::kWhole), std::nullopt);
  }
}

TEST_F(FileSealTest, SamplesOfASmallFileAreAllOfIt) {
  write("twelve bytes");
  const FileSeal before = seal();
  EXPECT_EQ(before.samples, before.sha256);
  write("twelve bytez");
  EXPECT_TRUE(find_damage(path_, before, DamageCheck::kSamples));
}

TEST_F(FileSealTest, AnotherSizeIsNamed) {
  write("nine byte");
  const FileSeal before = seal();
  write("five.");
  EXPECT_THAT(find_damage(path_, before, DamageCheck::kSamples),
              Optional(HasSubstr("it has 5 bytes in place of 9")));
}

// In 8 MiB, blocks of 4 KiB are sampled every 8 KiB or so.
TEST_F(FileSealTest, SamplesSeeBothEndsAndWhateverIsLongerThanAGap) {
  const std::string whole(std::size_t{8} << 20U, 'x');
  write(whole);
  const FileSeal before = seal();
  for (const std::size_t place : {std::size_t{0}, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[place] = 'y';
    write(damaged);
    EXPECT_TRUE(find_damage(path_, before, DamageCheck::kSamples)) << place;
  }
  std::string hole = whole;
  hole.replace(4'000'001, whole.size() / 1024, whole.size() / 1024, '\0');
  write(hole);
  EXPECT_TRUE(find_damage(path_, before, DamageCheck::kSamples));
}

TEST_F(FileSealTest, TheWholeFileSeesASingleByteBetweenTheSamples) {
  std::string content(std::size_t{8} << 20U, 'x');
  write(content);
  const FileSeal before = seal();
  content[6'000] = 'y';  // after the first block, before the second
  write(content);
  EXPECT_EQ(find_damage(path_, before, DamageCheck::kSamples), std::nullopt);
  EXPECT_TRUE(find_damage(path_, before, DamageCheck::kWhole));
}

TEST_F(FileSealTest, AMissingFileIsDamaged) {
  write("a");
  const FileSeal before = seal();
  std::filesystem::remove(path_);
  EXPECT_THAT(find_damage(path_, before, DamageCheck::kWhole),
              Optional(HasSubstr("can't be read")));
  EXPECT_EQ(seal_of(path_).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace rsd
