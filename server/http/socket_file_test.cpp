#include "server/http/socket_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "support/temp_folder.h"

namespace rsd::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SocketFileTest : public testing::Test {
 protected:
  // Leaves a file as a server does that ends without removing it.
  void leave_file() const {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(socket);
  }

  const TempFolder folder_;
  const std::string path_ = folder_.at("rsd.sock");
};

TEST_F(SocketFileTest, IsForOwnerAndGroupWhateverTheMask) {
  for (const mode_t mask : {0022U, 0077U, 0U}) {
    const mode_t before = ::umask(mask);
    const auto file = SocketFile::listen(path_, 1);
    ::umask(before);
    ASSERT_TRUE(file) << file.error().message();
    struct stat made {};
    ASSERT_EQ(::lstat(path_.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777U, 0660U);
  }
  EXPECT_FALSE(fs::exists(path_)) << "it goes with its server";
}

TEST_F(SocketFileTest, OneThatNobodyListensOnGivesWay) {
  leave_file();
  EXPECT_TRUE(SocketFile::listen(path_, 1));
}

TEST_F(SocketFileTest, AnotherServersIsLeftAlone) {
  const auto first = SocketFile::listen(path_, 1);
  ASSERT_TRUE(first);
  const auto second = SocketFile::listen(path_, 1);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), HasSubstr("another server does"));
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketFileTest, WhatIsNoSocketIsLeftAlone) {
  folder_.write("rsd.sock", "a letter");
  const auto file = SocketFile::listen(path_, 1);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(file.error().message(), HasSubstr("is no socket"));
  EXPECT_EQ(fs::file_size(path_), 8U);
}

TEST_F(SocketFileTest, OneThatTookItsPlaceIsNotRemoved) {
  auto first = SocketFile::listen(path_, 1);
  ASSERT_TRUE(first);
  fs::rename(path_, path_ + ".old");
  const auto second = SocketFile::listen(path_, 1);
  ASSERT_TRUE(second);
  first->remove();
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(SocketFileTest, APathThatNoAddressHoldsIsNamedWithItsLimit) {
  const auto file = SocketFile::listen(std::string(200, 'x'), 1);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message(), HasSubstr("at most 107 bytes, not 200"));
  EXPECT_FALSE(SocketFile::listen(path_ + "/nowhere/rsd.sock", 1));
}

}  // namespace
}  // namespace rsd::server
