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

  void look(Clock::time_point now, bool is_there) {
    breaker_.note_check_start();
    breaker_.note_check(now, is_there);
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
  EXPECT_TRUE(breaker_.allows());
  fail(kStart);
  EXPECT_FALSE(breaker_.allows());
}

TEST_F(Breaker, OneFailureThatIsEnoughOpensIt) {
  breaker_.trip(kStart, breaker_.note_start());
  EXPECT_FALSE(breaker_.allows());
  EXPECT_TRUE(breaker_.wants_check(kStart + seconds(1)));
}

TEST_F(Breaker, LetsOneQuestionTryAfterAWhileAndACheck) {
  open();
  EXPECT_FALSE(breaker_.wants_check(kStart + milliseconds(999)));
  EXPECT_TRUE(breaker_.wants_check(kStart + seconds(1)));
  EXPECT_FALSE(breaker_.allows()) << "nobody has looked yet";
  breaker_.note_check_start();
  EXPECT_TRUE(breaker_.is_on_trial());
  EXPECT_FALSE(breaker_.wants_check(kStart + seconds(2)));
  breaker_.note_check(kStart + seconds(2), true);
  EXPECT_TRUE(breaker_.allows());
  EXPECT_TRUE(breaker_.note_start());
  EXPECT_FALSE(breaker_.allows());
}

TEST_F(Breaker, ASuccessfulTryClosesIt) {
  open();
  look(kStart + seconds(1), true);
  breaker_.note_start();
  breaker_.note_success();
  EXPECT_TRUE(breaker_.allows());
  EXPECT_FALSE(breaker_.note_start());
}

TEST_F(Breaker, StaysOpenTwiceAsLongAfterEachFailedTryUpToALimit) {
  open();
  auto now = kStart + seconds(1);
  for (const auto open_time : {seconds(2), seconds(3), seconds(3)}) {
    look(now, true);
    fail(now);
    EXPECT_FALSE(breaker_.wants_check(now + open_time - milliseconds(1)));
    now += open_time;
    EXPECT_TRUE(breaker_.wants_check(now));
  }
}

TEST_F(Breaker, AFailedCheckIsAFailedTry) {
  open();
  look(kStart + seconds(1), false);
  EXPECT_FALSE(breaker_.allows());
  EXPECT_EQ(breaker_.next_check(), kStart + seconds(3));
}

TEST_F(Breaker, ACheckThatAnOlderQuestionWasFasterThanTellsNothing) {
  open();
  breaker_.note_check_start();
  breaker_.note_success();
  breaker_.note_check(kStart + seconds(1), false);
  EXPECT_TRUE(breaker_.allows());
}

TEST_F(Breaker, FailuresOfQuestionsFromBeforeItOpenedDontKeepItOpen) {
  open();
  breaker_.note_failure(kStart + milliseconds(900), /*tried=*/false);
  EXPECT_TRUE(breaker_.wants_check(kStart + seconds(1)));
}

TEST_F(Breaker, ATryThatIsGivenUpLeavesTheNextOneItsChance) {
  open();
  look(kStart + seconds(1), true);
  breaker_.note_cancelled(breaker_.note_start());
  EXPECT_TRUE(breaker_.allows());
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
