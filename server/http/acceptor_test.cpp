#include "server/http/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <string>
#include <vector>

namespace rsd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kConnection = 1000;  // never used as one

// Accepts as the script says, in which errors are negative, and stops after it.
class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() {
    EXPECT_EQ(::pipe(readable_.data()), 0);
    EXPECT_EQ(::write(readable_[1], "x", 1), 1);
  }
  ~AcceptorTest() override {
    ::close(readable_[0]);
    ::close(readable_[1]);
  }
  Result<void> run(std::deque<int> script) {
    script_ = std::move(script);
    Acceptor acceptor({.accept = [this](int /*listening*/) { return next(); },
                       .first_pause = std::chrono::milliseconds(1),
                       .longest_pause = std::chrono::milliseconds(2),
                       .log = [this](LogLevel, std::string_view line) { log_ += line; }});
    return acceptor.run(
        readable_[0], [this] { return script_.empty(); },
        [this](int connection) { taken_.push_back(connection); });
  }

  std::vector<int> taken_;
  std::string log_;

 private:
  int next() {
    const int result = script_.front();
    script_.pop_front();
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : result;
  }

  std::array<int, 2> readable_{-1, -1};
  std::deque<int> script_;
};

TEST_F(AcceptorTest, WhatConcernsOneConnectionEndsNothing) {
  for (const int error : {EINTR, EAGAIN, ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTUNREACH}) {
    taken_.clear();
    EXPECT_TRUE(run({-error, kConnection})) << error;
    EXPECT_THAT(taken_, ElementsAre(kConnection)) << error;
  }
  EXPECT_EQ(log_, "");
}

TEST_F(AcceptorTest, WhatTheSystemLacksIsWaitedForAndLoggedOnce) {
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    taken_.clear();
    log_.clear();
    EXPECT_TRUE(run({-error, -error, -error, -error, kConnection})) << error;
    EXPECT_THAT(taken_, ElementsAre(kConnection)) << error;
    EXPECT_THAT(log_, HasSubstr("connections have to wait: "));
    EXPECT_EQ(log_.find("have to wait"), log_.rfind("have to wait")) << log_;
    EXPECT_THAT(log_, HasSubstr("accepted again"));
  }
}

TEST_F(AcceptorTest, WhatCantGoOnIsAnError) {
  for (const int error : {EBADF, EINVAL, ENOTSOCK, EFAULT}) {
    const auto done = run({-error, kConnection});
    ASSERT_FALSE(done) << error;
    EXPECT_EQ(done.error().code(), ErrorCode::kRuntime);
    EXPECT_THAT(done.error().message(), HasSubstr("can't accept connections: "));
  }
  EXPECT_TRUE(taken_.empty());
}

}  // namespace
}  // namespace rsd::server
