#include "rsd/core/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace rsd {
namespace {

namespace fs = std::filesystem;

// The test's own current folder, with a program `whoami` that isn't the system's.
class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "rsd-program.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = fs::canonical(name);
    before_ = fs::current_path();
    const char* path = std::getenv("PATH");
    path_ = path ? path : "";
    fs::create_directory(folder_ / "bin");
    write_script("whoami", "touch " + (folder_ / "was-run").string());
    fs::copy(folder_ / "whoami", folder_ / "bin" / "whoami");
    fs::current_path(folder_);
  }
  void TearDown() override {
    fs::current_path(before_);
    ::setenv("PATH", path_.c_str(), 1);
    fs::remove_all(folder_);
  }

  void write_script(const std::string& name, const std::string& line) {
    std::ofstream(folder_ / name) << "#!/bin/sh\n" << line << "\n";
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }

  // The standard output of a shell with these words.
  std::string output_of(const std::string& script, const std::string& working_folder = "/") {
    const fs::path file = folder_ / "output";
    const int output = ::open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    const auto end = run_program(
        {.program = "sh", .arguments = {"-c", script}, .folder = working_folder, .output = output});
    ::close(output);
    EXPECT_TRUE(end.ok() && end->succeeded());
    std::string line;
    std::getline(std::ifstream(file), line);
    return line;
  }

  fs::path folder_;
  fs::path before_;
  std::string path_;
};

TEST_F(Program, OfTheCurrentFolderIsNeverFound) {
  for (const std::string& entry : {std::string("."), std::string(), std::string("./"),
                                   std::string("bin"), folder_.string(), folder_.string() + "/."}) {
    ::setenv("PATH", (entry + ":/usr/bin:/bin").c_str(), 1);
    const auto found = find_program("whoami");
    ASSERT_TRUE(found.ok()) << entry;
    EXPECT_EQ(fs::path(*found).parent_path().filename(), "bin") << entry;
    EXPECT_FALSE(found->starts_with(folder_.string())) << entry;
    EXPECT_NE(output_of("whoami"), "");
    EXPECT_FALSE(fs::exists(folder_ / "was-run")) << entry;
  }
}

TEST_F(Program, OfAFolderThatPathNamesInFullIsFound) {
  ::setenv("PATH", ((folder_ / "bin").string() + ":/usr/bin").c_str(), 1);
  EXPECT_EQ(*find_program("whoami"), (folder_ / "bin" / "whoami").string());
}

TEST_F(Program, ByARelativePathIsMissing) {
  ASSERT_FALSE(find_program("./whoami").ok());
  EXPECT_EQ(find_program("bin/whoami").error().code(), ErrorCode::kMissingDependency);
}

TEST_F(Program, ThatIsInNoFolderIsMissing) {
  ::setenv("PATH", ".", 1);
  const auto end = run_program({.program = "whoami"});
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code(), ErrorCode::kMissingDependency);
}

TEST_F(Program, SeesNeitherOurFolderNorARelativePath) {
  ::setenv("PATH", ("." + std::string(":/usr/bin:/bin::") + folder_.string()).c_str(), 1);
  EXPECT_EQ(output_of("echo \"$PATH\""), "/usr/bin:/bin");
  EXPECT_EQ(output_of("pwd"), "/");
  EXPECT_EQ(output_of("pwd", (folder_ / "bin").string()), (folder_ / "bin").string());
}

TEST_F(Program, TellsHowItEnded) {
  EXPECT_EQ(run_program({.program = "sh", .arguments = {"-c", "exit 7"}})->exit_status, 7);
  EXPECT_EQ(run_program({.program = "sh", .arguments = {"-c", "kill -9 $$"}})->signal, 9);
}

}  // namespace
}  // namespace rsd
