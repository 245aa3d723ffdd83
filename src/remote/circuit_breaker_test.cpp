#include "remote/circuit_breaker.h"

#include <gtest/gtest.h>

#include "remote/backoff.h"

namespace rsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point kStart{};

class Breaker : public testing::Test {
 protected:
  void fail(Clock::time_point now) { breaker_.note_failure(now, breaker_.note_start()); }
  void open() {
    for (int n = 0; n < 3; ++n)
      fail(kStart);
  }

  CircuitBreaker breaker_{
      {.failures_to_open = 3, .open_time = seconds(1), .max_open_time = seconds(3)}};
};

TEST_F(Breaker, OpensAfterFailuresInARowOnly) {
  fail(kStart);
  fail(kStart);
  breaker_.note_success();
  fail(kStart);
  fail(kStart);
  EXPECT_TRUE(breaker_.allows(kStart));
  fail(kStart);
  EXPECT_FALSE(breaker_.allows(kStart));
}

TEST_F(Breaker, LetsOneQuestionTryAfterAWhile) {
  open();
  EXPECT_FALSE(breaker_.allows(kStart + milliseconds(999)));
  const auto later = kStart + seconds(1);
  EXPECT_TRUE(breaker_.allows(later));
  EXPECT_TRUE(breaker_.note_start());
  EXPECT_FALSE(breaker_.allows(later));
}

TEST_F(Breaker, ASuccessfulTryClosesIt) {
  open();
  breaker_.note_start();
  breaker_.note_success();
  EXPECT_TRUE(breaker_.allows(kStart));
  EXPECT_FALSE(breaker_.note_start());
}

TEST_F(Breaker, StaysOpenTwiceAsLongAfterEachFailedTryUpToALimit) {
  open();
  auto now = kStart + seconds(1);
  for (const auto open_time : {seconds(2), seconds(3), seconds(3)}) {
    fail(now);
    EXPECT_FALSE(breaker_.allows(now + open_time - milliseconds(1)));
    now += open_time;
    EXPECT_TRUE(breaker_.allows(now));
  }
}

TEST_F(Breaker, FailuresOfQuestionsFromBeforeItOpenedDontKeepItOpen) {
  open();
  breaker_.note_failure(kStart + milliseconds(900), /*tried=*/false);
  EXPECT_TRUE(breaker_.allows(kStart + seconds(1)));
}

TEST_F(Breaker, ATryThatIsGivenUpLeavesTheNextOneItsChance) {
  open();
  const auto later = kStart + seconds(1);
  breaker_.note_cancelled(breaker_.note_start());
  EXPECT_TRUE(breaker_.allows(later));
}

TEST(Backoff, DoublesUpToItsLimitLessUpToAHalf) {
  Backoff backoff(milliseconds(100), milliseconds(1000), 1);
  const int expected[] = {100, 200, 400, 800, 1000, 1000};
  for (int n = 0; n < 6; ++n) {
    const auto delay = backoff.delay(static_cast<std::size_t>(n) + 1);
    EXPECT_LE(delay, milliseconds(expected[n]));
    EXPECT_GE(delay, milliseconds(expected[n] / 2));
  }
}

TEST(Backoff, ThoseThatFailTogetherComeBackApart) {
  Backoff one(milliseconds(100), milliseconds(1000), 1);
  Backoff other(milliseconds(100), milliseconds(1000), 2);
  EXPECT_NE(one.delay(1), other.delay(1));
}

}  // namespace
}  // namespace rsd
