#include "rsd/core/duration.h"

#include <gtest/gtest.h>

#include <limits>

namespace rsd {
namespace {

using namespace std::chrono_literals;

TEST(DurationOfMs, IsThatManyMilliseconds) {
  EXPECT_EQ(duration_of_ms(1.5), 1500us);
  EXPECT_EQ(duration_of_ms(-2), -2ms);
}

TEST(DurationOfMs, SaturatesWhereAClockWouldOverflow) {
  const auto longest = duration_of_ms(std::numeric_limits<double>::infinity());
  EXPECT_GT(longest, 24h * 365 * 99);
  for (const double ms : {1e13, 1e300, std::numeric_limits<double>::max()}) {
    EXPECT_EQ(duration_of_ms(ms), longest) << ms;
    EXPECT_EQ(duration_of_ms(-ms), -longest) << ms;
  }
  const auto now = std::chrono::steady_clock::now();
  EXPECT_GT(now + longest, now) << "it can be added";
  EXPECT_GT(now + longest + longest / 2, now + longest);
}

TEST(DurationOfMs, OfNoNumberIsNothing) {
  EXPECT_EQ(duration_of_ms(std::numeric_limits<double>::quiet_NaN()), 0ns);
}

}  // namespace
}  // namespace rsd
