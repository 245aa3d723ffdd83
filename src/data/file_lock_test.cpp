#include "data/file_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
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
  auto held = FileLock::acquire(path, "testing", {});
  ASSERT_TRUE(held);
  std::optional<FileLock> first(*std::move(held));
  std::atomic<bool> is_waiting = false;
  std::atomic<bool> is_released = false;
  std::string logged;
  std::thread other([&] {
    const auto second = FileLock::acquire(path, "counting", [&](LogLevel, std::string_view line) {
      logged = line;
      is_waiting = true;
      is_waiting.notify_one();
    });
    is_waiting = true;  // also where it did not
    is_waiting.notify_one();
    EXPECT_TRUE(second);
    EXPECT_TRUE(is_released) << "acquire() returned while another one held the lock";
  });
  is_waiting.wait(false);
  // One that does not wait would return by now; one that does is not affected by this pause.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  is_released = true;
  first.reset();
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
