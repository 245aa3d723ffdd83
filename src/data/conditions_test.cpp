#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "rsd/data/resumable_output.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;

TEST(Conditions, ThatAreTheSameHaveNotChanged) {
  const Conditions conditions{{"model", "a.gguf"}, {"seed", "1"}};
  EXPECT_TRUE(changed_conditions(conditions, conditions).empty());
}

TEST(Conditions, ChangeInValueAndByBeingThereOnOneSideOnly) {
  const auto changed = changed_conditions(Conditions{{"lora", "x"}, {"model", "a"}, {"seed", "1"}},
                                          Conditions{{"agent", ""}, {"model", "b"}, {"seed", "1"}});
  ASSERT_EQ(changed.size(), 3U);
  EXPECT_EQ(changed[0].key, "agent");
  EXPECT_EQ(changed[0].before, std::nullopt);
  EXPECT_EQ(changed[0].now, "");
  EXPECT_EQ(changed[1].key, "lora");
  EXPECT_EQ(changed[1].before, "x");
  EXPECT_EQ(changed[1].now, std::nullopt);
  EXPECT_EQ(changed[2].before, "a");
  EXPECT_EQ(changed[2].now, "b");
}

TEST(Conditions, AreComparedWithThoseThatWereSaved) {
  const TempFolder folder;
  const Conditions before{{"model", "a \"quoted\" name"}, {"seed", "1"}};
  const std::string path = folder.at("conditions.json");
  EXPECT_TRUE(changed_conditions(path, before)->empty()) << "none were saved";
  ASSERT_TRUE(save_conditions(path, before));
  EXPECT_TRUE(changed_conditions(path, before)->empty());
  EXPECT_EQ(changed_conditions(path, Conditions{{"seed", "1"}})->size(), 1U);
  folder.write("conditions.json", "[]");
  const auto damaged = changed_conditions(path, before);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(damaged.error().message(), HasSubstr(path));
}

// Such a path makes the standard library throw.
TEST(Conditions, InAFileThatCantBeReadAreAnError) {
  const TempFolder folder;
  const std::string path = folder.at("conditions.json");
  std::filesystem::create_symlink("conditions.json", path);
  const auto changed = changed_conditions(path, Conditions{{"seed", "1"}});
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message(), HasSubstr(path + ": can't be opened: Too many levels"));
}

TEST(Conditions, OfFilesWhoseNamesAreNotUtf8AreTheSameWhenTheyAreReadAgain) {
  const TempFolder folder;
  const Conditions before{{"model", "caf\xe9.gguf"}};
  const std::string path = folder.at("conditions.json");
  ASSERT_TRUE(save_conditions(path, before));
  EXPECT_TRUE(changed_conditions(path, before)->empty());
  EXPECT_EQ(changed_conditions(path, Conditions{{"model", "cafe.gguf"}})->size(), 1U);
}

TEST(Conditions, KnowAFileByItsNameAndSize) {
  const TempFolder folder;
  const std::string one = identity_of(folder.write("one", "1234"));
  EXPECT_THAT(one, HasSubstr(folder.at("one") + " (4 bytes, changed at "));
  EXPECT_NE(identity_of(folder.write("one", "12345")), one);
}

}  // namespace
}  // namespace rsd
