#include "rsd/core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "support/temp_folder.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class AtomicFile : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_.at(name); }

  TempFolder folder_;
};

// While it lives, no file of this process may grow above `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  void (*old_handler_)(int);
  rlimit old_ = {};
};

TEST_F(AtomicFile, WritesEveryByteAndLeavesNothingElse) {
  const std::string bytes("one\0two\r\n\xFF", 10);
  ASSERT_TRUE(write_file_atomically(at("a"), bytes).ok());
  EXPECT_EQ(folder_.read("a"), bytes);
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(AtomicFile, WritesAnEmptyFile) {
  ASSERT_TRUE(write_file_atomically(at("a"), "").ok());
  EXPECT_TRUE(folder_.has("a"));
  EXPECT_EQ(folder_.read("a"), "");
}

TEST_F(AtomicFile, ReplacesAnOlderFileThatWasLonger) {
  ASSERT_TRUE(write_file_atomically(at("a"), "a long old text").ok());
  ASSERT_TRUE(write_file_atomically(at("a"), "new").ok());
  EXPECT_EQ(folder_.read("a"), "new");
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(AtomicFile, KeepsThePermissionsOfTheOlderFile) {
  ASSERT_TRUE(write_file_atomically(at("a"), "secret").ok());
  fs::permissions(at("a"), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(write_file_atomically(at("a"), "new secret").ok());
  EXPECT_EQ(fs::status(at("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AtomicFile, KeepsALinkAndReplacesTheFileThatItNames) {
  ASSERT_TRUE(write_file_atomically(at("real"), "old").ok());
  fs::create_symlink("real", at("link"));
  ASSERT_TRUE(write_file_atomically(at("link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(folder_.read("real"), "new");
}

TEST_F(AtomicFile, WritesIntoTheWorkingFolderWithoutAFolderInThePath) {
  const fs::path old = fs::current_path();
  fs::current_path(folder_.path());
  const auto written = write_file_atomically("bare", "x");
  fs::current_path(old);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(folder_.read("bare"), "x");
}

TEST_F(AtomicFile, RefusesAFolderAsTarget) {
  const auto written = write_file_atomically(folder_.path().string(), "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::kRuntime);
  EXPECT_EQ(written.error().message(),
            folder_.path().string() + ": can't be written: Is a directory");
  EXPECT_EQ(folder_.n_files(), 0u);
}

TEST_F(AtomicFile, RefusesADeviceAsTarget) {
  const auto written = write_file_atomically("/dev/null", "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message(), "/dev/null: can't be written: Not a regular file");
}

TEST_F(AtomicFile, NamesThePathWhenTheFolderIsMissing) {
  const auto written = write_file_atomically(at("none/a"), "x");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::kRuntime);
  EXPECT_EQ(written.error().message(),
            at("none/a") + ": can't be written: No such file or directory");
}

TEST_F(AtomicFile, NamesThePathWhenAPartOfItIsAFile) {
  ASSERT_TRUE(write_file_atomically(at("a"), "x").ok());
  const auto written = write_file_atomically(at("a/b"), "x");
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().message(), HasSubstr("Not a directory"));
}

TEST_F(AtomicFile, NamesThePathWhenTheFolderIsNotWritable) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const auto written = write_file_atomically(at("a"), "x");
  fs::permissions(folder_.path(), fs::perms::owner_all);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message(), at("a") + ": can't be written: Permission denied");
}

TEST_F(AtomicFile, RemovesTheTemporaryFileWhenTheRenameFails) {
  const auto written = write_file_atomically(at(std::string(300, 'n')), "x");
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().message(), HasSubstr("File name too long"));
  EXPECT_EQ(folder_.n_files(), 0u);
}

TEST_F(AtomicFile, LeavesTheOlderFileUnharmedWhenTheWriteFails) {
  ASSERT_TRUE(write_file_atomically(at("a"), "old").ok());
  Result<void> written;
  {
    const FileSizeLimit limit(1000);
    written = write_file_atomically(at("a"), std::string(5000, 'x'));
  }
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::kRuntime);
  EXPECT_EQ(written.error().message(), at("a") + ": can't be written: File too large");
  EXPECT_EQ(folder_.read("a"), "old");
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(AtomicFile, ReadsBackWhatWasWritten) {
  const std::string bytes = std::string(200'000, 'x') + std::string("\0y", 2);
  ASSERT_TRUE(write_file_atomically(at("a"), bytes).ok());
  const auto read = read_file(at("a"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, bytes);
}

TEST_F(AtomicFile, ReadingAMissingFileIsNotFound) {
  const auto read = read_file(at("none"));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(read.error().message(), at("none") + ": can't be opened: No such file or directory");
}

TEST_F(AtomicFile, ReadingAFolderIsNotFound) {
  const auto read = read_file(folder_.path().string());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(read.error().message(), HasSubstr("Is a directory"));
}

TEST_F(AtomicFile, IsMissingOnlyWhereItIsCertainThatNothingIsThere) {
  ASSERT_TRUE(write_file_atomically(at("file"), "x").ok());
  fs::create_symlink("loop", at("loop"));
  fs::create_symlink("nowhere", at("dangling"));
  EXPECT_TRUE(is_missing(at("none")));
  EXPECT_TRUE(is_missing(at("file/x")));
  EXPECT_TRUE(is_missing(at("dangling")));
  EXPECT_FALSE(is_missing(at("file")));
  EXPECT_FALSE(is_missing(folder_.path().string()));
  EXPECT_FALSE(is_missing(at("loop")));
  EXPECT_FALSE(is_missing(at(std::string(300, 'n'))));
}

}  // namespace
}  // namespace rsd
