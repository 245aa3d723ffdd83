#include "quota.h"

#include <gtest/gtest.h>

#include "client_address.h"

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

}  // namespace
}  // namespace rsd::server
