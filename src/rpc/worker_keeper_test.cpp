#include "rpc/worker_keeper.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kRetried = 6;

class WorkerKeeperTest : public testing::Test {
 protected:
  WorkerKeeper keeper(RpcWorkerMain worker_main) {
    return {RpcWorker({}, std::move(worker_main)), kRetried,
            [this](LogLevel, std::string_view line) { log_.emplace_back(line); }};
  }
  // Until a worker has ended. Requires that none is final yet.
  static void tend(WorkerKeeper& keeper) {
    while (!keeper.reap()) {
      if (keeper.is_start_due()) keeper.start();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::vector<std::string> log_;
};

RpcWorkerMain exits_with(int code) {
  return [code](const RpcServerOptions&) { ::_exit(code); };
}

TEST_F(WorkerKeeperTest, AWorkerThatEndsIsStartedAgainAfterPausesThatDouble) {
  auto kept = keeper([](const RpcServerOptions&) {});  // which kills it
  for (int end = 0; end < 2; ++end)
    tend(kept);
  EXPECT_EQ(kept.final_exit_code(), std::nullopt);
  EXPECT_THAT(log_, ElementsAre(HasSubstr("signal 9, Killed); another starts in 100 ms"),
                                HasSubstr("another starts in 200 ms")));
  EXPECT_FALSE(kept.is_start_due());
}

TEST_F(WorkerKeeperTest, AWorkerThatCanNotWorkHereIsFinal) {
  auto kept = keeper(exits_with(4));
  tend(kept);
  EXPECT_EQ(kept.final_exit_code(), 4);
  EXPECT_FALSE(kept.is_start_due());
}

TEST_F(WorkerKeeperTest, AWorkerThatNeverListensIsStartedThreeTimes) {
  auto kept = keeper(exits_with(kRetried));
  tend(kept);
  tend(kept);
  EXPECT_EQ(kept.final_exit_code(), std::nullopt);
  tend(kept);
  EXPECT_EQ(kept.final_exit_code(), kRetried);
}

TEST_F(WorkerKeeperTest, AWorkerGetsAPortOfLoopback) {
  auto kept = keeper([](const RpcServerOptions& options) {
    ::_exit(options.host == "127.0.0.1" && options.port != 0 ? 0 : 1);
  });
  tend(kept);
  EXPECT_EQ(kept.final_exit_code(), 0);
}

}  // namespace
}  // namespace rsd
