#include "rsd/core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "support/file_size_limit.h"
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

TEST_F(AtomicFile, RemovesWhatAKilledWriterLeft) {
  ASSERT_TRUE(write_file_atomically(at("a"), "old"));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileSizeLimit limit(1000);
    std::signal(SIGXFSZ, SIG_DFL);  // which ends it in the middle of the write
    ::_exit(write_file_atomically(at("a"), std::string(5000, 'x')) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(folder_.read("a"), "old");
  EXPECT_EQ(folder_.n_files(), 2u);
  ASSERT_TRUE(write_file_atomically(at("a"), "new"));
  EXPECT_EQ(folder_.read("a"), "new");
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(AtomicFile, IsWholeThoughSeveralWriteItAtOnce) {
  constexpr int kWriters = 4;
  std::vector<std::jthread> writers;
  std::atomic<int> n_written = 0;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int n = 0; n < 100; ++n)
        n_written +=
            write_file_atomically(at("a"), std::string(5000, static_cast<char>('a' + w))) ? 1 : 0;
    });
  }
  writers.clear();
  EXPECT_EQ(n_written, kWriters * 100);
  const std::string content = folder_.read("a");
  EXPECT_EQ(content, std::string(5000, content.at(0)));
  EXPECT_EQ(folder_.n_files(), 1u);
}

TEST_F(AtomicFile, IsMadeOrBecomesLongerByAppending) {
  ASSERT_TRUE(append_to_file(at("a"), "one\n"));
  ASSERT_TRUE(append_to_file(at("a"), "two\n"));
  EXPECT_EQ(folder_.read("a"), "one\ntwo\n");
}

TEST_F(AtomicFile, IsAsBeforeWhenAppendingFails) {
  ASSERT_TRUE(append_to_file(at("a"), "one\n"));
  Result<void> appended;
  {
    const FileSizeLimit limit(1000);
    appended = append_to_file(at("a"), std::string(5000, 'x'));
  }
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().message(), at("a") + ": can't be written: File too large");
  EXPECT_EQ(folder_.read("a"), "one\n");
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
