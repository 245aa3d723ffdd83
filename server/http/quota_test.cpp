#include "server/http/quota.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "server/http/client_address.h"

namespace rsd::server {
namespace {

TEST(Quota, EachNameHasItsOwnAndGetsItBack) {
  Quota quota(3);
  auto first = quota.take("a", 2);
  ASSERT_TRUE(first);
  EXPECT_FALSE(quota.take("a", 2));
  EXPECT_TRUE(quota.take("b", 3));
  auto copy = first;
  first.reset();
  EXPECT_FALSE(quota.take("a", 2)) << "a copy still has it";
  copy.reset();
  EXPECT_TRUE(quota.take("a", 3));
  EXPECT_FALSE(quota.take("a", 4));
}

TEST(Quota, NothingIsAlwaysThere) {
  Quota quota(1);
  const auto all = quota.take("a");
  EXPECT_TRUE(quota.take("a", 0));
  EXPECT_TRUE(Quota(Quota::kNoLimit).take("a", 1'000'000));
}

TEST(ClientAddress, LimitsGoByTheNetworkOfAnIpv6Address) {
  EXPECT_EQ(limit_name("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(limit_name("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(limit_name("2001:db8:1:2:3:4:5:6"), limit_name("2001:db8:1:2::9"));
  EXPECT_NE(limit_name("2001:db8:1:2::9"), limit_name("2001:db8:1:3::9"));
  EXPECT_EQ(limit_name("fe80::1%eth0"), limit_name("fe80::2"));
}

TEST(ClientAddress, LoopbackIsThisMachineHoweverItIsWritten) {
  for (const char* own : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(is_loopback(own)) << own;
  for (const char* other : {"128.0.0.1", "::2", "::ffff:10.0.0.1", "", "1127.0.0.1"})
    EXPECT_FALSE(is_loopback(other)) << other;
}

// A host may be called "unix", and is not this machine for that.
TEST(ClientAddress, APeerOfAUnixSocketIsOnThisMachineButNotAtALoopbackAddress) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const std::string peer = peer_of(ends[0]).ip;
  for (const int end : ends)
    ::close(end);
  EXPECT_EQ(peer, "unix");
  EXPECT_TRUE(is_on_this_machine(peer));
  EXPECT_FALSE(is_loopback(peer));
  EXPECT_FALSE(is_on_this_machine("10.0.0.1"));
}

TEST(ClientAddress, PeersOfUnixSocketsShareOneLimit) {
  EXPECT_EQ(limit_name("unix"), "unix");
  Quota quota(1);
  const auto first = quota.take(limit_name("unix"));
  EXPECT_FALSE(quota.take(limit_name("unix")));
  EXPECT_TRUE(quota.take(limit_name("192.0.2.1")));
}

}  // namespace
}  // namespace rsd::server
