#include "server/queue_turns.h"

#include <gtest/gtest.h>

namespace rsd::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A token takes a millisecond.
class QueueTurnsTest : public testing::Test {
 protected:
  QueueTurnsTest() {
    costs_.observe_prefill(100, 100);
    turns_.learn(costs_);
  }
  // After the arrival, which is now.
  double due_ms(const std::string& key, std::size_t n_tokens) {
    return ms_between(now_, turns_.due(key, {}, n_tokens, now_));
  }

  CostModel costs_;
  QueueTurns turns_{CostModel()};
  Clock::time_point now_ = Clock::now();
};

TEST_F(QueueTurnsTest, WhatTakesLongIsDueLater) {
  EXPECT_DOUBLE_EQ(due_ms("", 0), 5000);
  EXPECT_DOUBLE_EQ(due_ms("", 100), 5400);
  EXPECT_DOUBLE_EQ(due_ms("", 10'000), 45'000);
}

TEST_F(QueueTurnsTest, ADeadlineDoesNotMakeWhatTakesLongGoFirst) {
  const Timeliness soon{.deadline = now_ + milliseconds(500), .arrival = now_};
  EXPECT_LT(turns_.due("", soon, 100, now_), now_ + seconds(5));
  EXPECT_GT(turns_.due("", soon, 10'000, now_), now_ + seconds(40));
}

TEST_F(QueueTurnsTest, WhatAKeyHasAskedForBeforeCounts) {
  for (int n = 0; n < 10; ++n)
    EXPECT_DOUBLE_EQ(due_ms("a", 1000), 9000 + 1000 * n);
  EXPECT_DOUBLE_EQ(due_ms("b", 1000), 9000);
  EXPECT_DOUBLE_EQ(due_ms("", 1000), 9000);
  now_ += seconds(8);  // two of them could be still to come
  EXPECT_DOUBLE_EQ(due_ms("a", 1000), 9000 + 2000);
}

TEST_F(QueueTurnsTest, NothingIsKnownBeforeThereAreCosts) {
  QueueTurns turns{CostModel()};
  EXPECT_EQ(turns.due("a", {}, 10'000, now_), now_ + kPatience);
}

}  // namespace
}  // namespace rsd::server
