#include "server/http/lingering_close.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

namespace rsd::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kNever = Clock::time_point::max();

// Two ends of a connection: the server's, which is given away, and the client's.
class Ends {
 public:
  Ends() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  ~Ends() { close(); }
  int server() const { return ends_[0]; }
  // Blocks until it is taken; false: the server's end is closed.
  bool write(const std::string& text) const {
    return ::send(ends_[1], text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  std::string read() const {
    std::array<char, 64> block{};
    const ssize_t n = ::recv(ends_[1], block.data(), block.size(), 0);
    return n > 0 ? std::string(block.data(), static_cast<std::size_t>(n)) : "";
  }
  void close() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(LingeringClose, WhatTheClientStillSendsIsTaken) {
  LingeringClose closing({.time = 1h, .silence = 1h});
  Ends ends;
  ASSERT_EQ(::send(ends.server(), "answer", 6, 0), 6);
  closing.take(ends.server());
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(ends.write(std::string(100'000, 'x'))) << i;
  EXPECT_EQ(ends.read(), "answer");
  EXPECT_EQ(ends.read(), "") << "our half is closed";
  ends.close();
  closing.wait(kNever);
}

TEST(LingeringClose, TheEndComesWithTheClientsOwn) {
  LingeringClose closing({.time = 1h, .silence = 1h});
  Ends ends;
  closing.take(ends.server());
  ends.close();
  closing.wait(kNever);
}

TEST(LingeringClose, AClientThatSendsNothingIsNotWaitedForLong) {
  LingeringClose closing({.time = 1h, .silence = 1ms});
  Ends ends;
  closing.take(ends.server());
  closing.wait(kNever);
  EXPECT_FALSE(ends.write("x"));
}

TEST(LingeringClose, TimeAndBytesAreLimited) {
  Ends slow;
  LingeringClose short_time({.time = 1ms, .silence = 1h});
  short_time.take(slow.server());
  short_time.wait(kNever);
  Ends endless;
  LingeringClose few_bytes({.time = 1h, .silence = 1h, .bytes = 1000});
  few_bytes.take(endless.server());
  while (endless.write(std::string(1000, 'x'))) {
  }
  few_bytes.wait(kNever);
}

TEST(LingeringClose, NoneWaitsForTheOthers) {
  LingeringClose closing({.time = 1h, .silence = 1h});
  std::array<Ends, 20> silent;
  for (Ends& ends : silent)
    closing.take(ends.server());
  Ends last;
  closing.take(last.server());
  EXPECT_EQ(last.read(), "");
  EXPECT_TRUE(last.write("x"));
}

TEST(LingeringClose, WithTooManyThoseThatCameFirstAreClosed) {
  LingeringClose closing({.time = 1h, .silence = 1h, .sockets = 1});
  Ends first;
  Ends second;
  closing.take(first.server());
  closing.take(second.server());
  while (first.write("x")) {
  }
  EXPECT_TRUE(second.write("x"));
}

TEST(LingeringClose, ItsOwnEndWaitsForNobody) {
  Ends ends;
  {
    LingeringClose closing({.time = 1h, .silence = 1h});
    closing.take(ends.server());
  }
  EXPECT_FALSE(ends.write("x"));
}

}  // namespace
}  // namespace rsd::server
