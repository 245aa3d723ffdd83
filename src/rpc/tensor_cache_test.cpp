#include "rpc/tensor_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

class TensorCacheTest : public testing::Test {
 protected:
  // Of 10 bytes, written `age` seconds before the others.
  void write(const std::string& name, int age) const {
    const std::string path = folder_.write(name, "0123456789");
    const auto now = std::filesystem::last_write_time(path);
    std::filesystem::last_write_time(path, now - std::chrono::seconds(age));
  }

  TempFolder folder_;
};

TEST_F(TensorCacheTest, RemovesTheOldestTensorsBeyondTheLimit) {
  write("00000000000000aa", 3);
  write("00000000000000bb", 1);
  write("00000000000000cc", 2);
  const auto removed = limit_tensor_cache(folder_.at(""), 15);
  EXPECT_EQ(removed.count, 2U);
  EXPECT_EQ(removed.bytes, 20U);
  EXPECT_TRUE(folder_.has("00000000000000bb"));
  EXPECT_EQ(folder_.n_files(), 1U);
}

TEST_F(TensorCacheTest, KeepsWhatIsWithinTheLimit) {
  write("00000000000000aa", 1);
  EXPECT_EQ(limit_tensor_cache(folder_.at(""), 10).count, 0U);
  EXPECT_EQ(folder_.n_files(), 1U);
}

TEST_F(TensorCacheTest, NeitherCountsNorRemovesOtherFiles) {
  write("notes.txt", 9);
  write("00000000000000AA", 9);
  write("0000000000000aa", 9);
  write("00000000000000bb", 1);
  EXPECT_EQ(limit_tensor_cache(folder_.at(""), 10).count, 0U);
  EXPECT_EQ(limit_tensor_cache(folder_.at(""), 0).count, 1U);
  EXPECT_EQ(folder_.n_files(), 3U);
}

TEST_F(TensorCacheTest, AMissingFolderIsEmpty) {
  EXPECT_EQ(limit_tensor_cache(folder_.at("missing"), 0).count, 0U);
}

}  // namespace
}  // namespace rsd
