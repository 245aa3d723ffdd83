#include "data/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace rsd {
namespace {

using testing::HasSubstr;

std::string lock_path() {
  const std::string path = testing::TempDir() + "rsd-file-lock-" + std::to_string(::getpid());
  std::filesystem::remove(path);
  return path;
}

TEST(FileLock, IsFreeAgainWhenItIsDestroyed) {
  const std::string path = lock_path();
  std::string logged;
  const LogSink log = [&](LogLevel, std::string_view line) { logged += line; };
  { ASSERT_TRUE(FileLock::acquire(path, "testing", log)); }
  EXPECT_TRUE(FileLock::acquire(path, "testing", log));
  EXPECT_EQ(logged, "");
}

TEST(FileLock, WaitsForTheOneWhoHoldsItAndLogsWhatFor) {
  const std::string path = lock_path();
  std::optional<FileLock> first;
  {
    auto held = FileLock::acquire(path, "testing", {});
    ASSERT_TRUE(held);
    first.emplace(*std::move(held));
  }
  std::atomic<bool> is_free = false;
  std::string logged;
  std::thread other([&] {
    // The lock is given up only when the other one is known to wait.
    const auto second = FileLock::acquire(path, "counting", [&](LogLevel, std::string_view line) {
      logged = line;
      is_free = true;
      first.reset();
    });
    EXPECT_TRUE(second);
    EXPECT_TRUE(is_free);
  });
  other.join();
  EXPECT_EQ(logged, "waiting for another rsd that is counting");
}

TEST(FileLock, NamesTheFileThatCannotBeMade) {
  const auto lock = FileLock::acquire("/nowhere/lock", "testing", {});
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code(), ErrorCode::kRuntime);
  EXPECT_THAT(lock.error().message(), HasSubstr("/nowhere/lock"));
}

}  // namespace
}  // namespace rsd
