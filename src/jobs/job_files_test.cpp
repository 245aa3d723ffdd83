#include "jobs/job_files.h"

#include <gmock/gmock.h>

#include "support/temp_folder.h"

namespace rsd {
namespace {

using testing::HasSubstr;

TEST(DatasetName, HasNeitherFolderNorEnding) {
  EXPECT_EQ(dataset_name("data/passages.test.jsonl"), "passages.test");
  EXPECT_EQ(dataset_name("-"), "stdin");
}

TEST(ResultFolder, IsMadeWithItsParents) {
  const TempFolder folder;
  ASSERT_TRUE(make_result_folder(folder.at("a/b")));
  EXPECT_TRUE(folder.has("a/b"));
  EXPECT_TRUE(make_result_folder(folder.at("a/b"))) << "it may be there already";
}

TEST(ResultFolder, ThatIsAFileIsAnError) {
  const TempFolder folder;
  const auto made = make_result_folder(folder.write("taken", ""));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(made.error().message(), HasSubstr("taken can't be made"));
}

}  // namespace
}  // namespace rsd
