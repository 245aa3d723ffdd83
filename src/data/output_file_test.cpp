#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "rsd/data/resumable_output.h"
#include "support/file_size_limit.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(OutputFile, AppearsWhenItIsComplete) {
  const TempFolder folder;
  folder.write("out", "an older one");
  auto output = OutputFile::open(folder.at("out"));
  ASSERT_TRUE(output) << output.error().message();
  ASSERT_TRUE(output->write("one\n"));
  ASSERT_TRUE(output->write("two\n"));
  EXPECT_EQ(folder.read("out"), "an older one");
  EXPECT_EQ(folder.read("out.partial"), "one\ntwo\n") << "nothing is held back";
  ASSERT_TRUE(output->commit());
  EXPECT_EQ(folder.read("out"), "one\ntwo\n");
  EXPECT_EQ(folder.n_files(), 1U);
}

TEST(OutputFile, KeepsWhatItHasWhenNobodyCommits) {
  const TempFolder folder;
  { ASSERT_TRUE(OutputFile::open(folder.at("out"))->write("one\ntw")); }
  EXPECT_FALSE(folder.has("out"));
  auto output = OutputFile::open(folder.at("out"), "one\n");
  ASSERT_TRUE(output);
  EXPECT_EQ(folder.read("out.partial"), "one\n") << "what isn't kept is cut off";
  ASSERT_TRUE(output->write("two\n"));
  ASSERT_TRUE(output->commit());
  EXPECT_EQ(folder.read("out"), "one\ntwo\n");
}

TEST(OutputFile, BeginsWithWhatIsKeptWhateverIsInThePartialFile) {
  const TempFolder folder;
  folder.write("out.partial", "something else");
  auto output = OutputFile::open(folder.at("out"), "kept\n");
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->commit());
  EXPECT_EQ(folder.read("out"), "kept\n");
}

TEST(OutputFile, IsAsBeforeIfWhatIsKeptFindsNoRoom) {
  const TempFolder folder;
  folder.write("out.partial", "one\n");
  {
    const FileSizeLimit limit(1000);
    const auto output = OutputFile::open(folder.at("out"), std::string(5000, 'k'));
    ASSERT_FALSE(output);
    EXPECT_THAT(output.error().message(), HasSubstr("out.partial.new: File too large"));
  }
  EXPECT_EQ(folder.read("out.partial"), "one\n");
  EXPECT_EQ(folder.n_files(), 1U);
}

TEST(OutputFile, IsLockedThoughItTookOverWhatIsKept) {
  const TempFolder folder;
  folder.write("out.partial.new", "left by one that was killed");
  const auto first = OutputFile::open(folder.at("out"), "kept\n");
  ASSERT_TRUE(first);
  EXPECT_EQ(folder.read("out.partial"), "kept\n");
  EXPECT_FALSE(OutputFile::open(folder.at("out")));
  EXPECT_EQ(folder.n_files(), 1U);
}

TEST(OutputFile, IsWrittenByOneAtATime) {
  const TempFolder folder;
  const auto first = OutputFile::open(folder.at("out"));
  ASSERT_TRUE(first);
  const auto second = OutputFile::open(folder.at("out"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(second.error().message(), HasSubstr("another rsd is writing"));
}

TEST(OutputFile, LeavesNothingWhenItIsDiscarded) {
  const TempFolder folder;
  auto output = OutputFile::open(folder.at("out"));
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->write("one\n"));
  output->discard();
  EXPECT_EQ(folder.n_files(), 0U);
}

TEST(OutputFile, ReplacesTheFileThatALinkNames) {
  const TempFolder folder;
  folder.write("target", "old");
  fs::create_symlink(folder.at("target"), folder.at("link"));
  EXPECT_EQ(OutputFile::partial_path(folder.at("link")),
            fs::canonical(folder.at("target")).string() + ".partial");
  auto output = OutputFile::open(folder.at("link"));
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->write("new"));
  ASSERT_TRUE(output->commit());
  EXPECT_TRUE(fs::is_symlink(folder.at("link")));
  EXPECT_EQ(folder.read("target"), "new");
}

TEST(OutputFile, PutsNoPlainFileInThePlaceOfAnythingElse) {
  const TempFolder folder;
  for (const std::string& path :
       {folder.at("."), std::string("/dev/null"), folder.at("none/out")}) {
    const auto output = OutputFile::open(path);
    ASSERT_FALSE(output) << path;
    EXPECT_EQ(output.error().code(), ErrorCode::kRuntime);
  }
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace rsd
