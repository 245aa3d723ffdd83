#include "server/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "rsd/decode/batch_run.h"
#include "server/synthetic_engine_test.h"

namespace rsd::server {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kItems = 12;
bool stays() {
  return false;
}

class SchedulerTest : public testing::Test {
 protected:
  void start(std::size_t queue, std::size_t parallel) {
    auto engine = std::make_unique<SyntheticEngine>(gate_);
    engine_ = engine.get();
    ranker_ = synthetic_ranker(std::move(engine), parallel);
    scheduler_ = std::make_unique<Scheduler>(*ranker_, Scheduler::Limits{.queue = queue}, metrics_);
  }
  void TearDown() override { gate_.open(); }

  // Arrives now, if `times` don't say when; of so many bytes, which are tokens, or a little more.
  JobRequest request(const std::string& query, Timeliness times = {},
                     const std::string& text = "text") const {
    Request asked{.query = query};
    asked.candidates.resize(kItems, {.text = text});
    RankOptions options{.decoder = DecoderKind::kExact};
    const auto arrival = times.arrival.value_or(Clock::now());
    if (times.deadline) options.deadline = *times.deadline - arrival;
    return {.request = ranker_->prepare(std::move(asked), options, arrival).value()};
  }
  JobRequest long_request(const std::string& query) const {
    return request(query, {}, std::string(kShortRequest / kItems + 1, 'x'));
  }
  std::vector<Scheduler::JobHandle> submit(std::vector<JobRequest> requests) {
    return std::get<std::vector<Scheduler::JobHandle>>(scheduler_->submit(std::move(requests)));
  }
  Scheduler::JobHandle submit(const std::string& query, Timeliness times = {}) {
    return submit(std::vector{request(query, times)}).front();
  }
  JobAnswer answer(const Scheduler::JobHandle& job) {
    return std::get<JobAnswer>(scheduler_->wait(job, stays));
  }
  static Ranking target(const std::string& query) {
    return *Ranking::create(SyntheticScorer(SyntheticEngine::options(query, kItems)).target());
  }
  static Timeliness due_in(std::chrono::milliseconds time) {
    return {.deadline = Clock::now() + time};
  }
  // Lets a job in, and holds its first pass.
  Scheduler::JobHandle hold(const std::string& query) { return hold(request(query)); }
  Scheduler::JobHandle hold(JobRequest request) {
    const std::size_t n_passes = gate_.n_passes();
    gate_.shut();
    auto job = submit(std::vector{std::move(request)}).front();
    gate_.wait_for_passes(n_passes + 1);
    return job;
  }

  Gate gate_;
  SyntheticEngine* engine_ = nullptr;  // the ranker's
  Metrics metrics_;
  std::unique_ptr<Ranker> ranker_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, EachJobGetsItsOwnAnswer) {
  start(100, 4);
  std::vector<JobRequest> requests;
  for (int i = 0; i < 20; ++i)
    requests.push_back(request("q" + std::to_string(i)));
  const auto jobs = submit(std::move(requests));
  for (int i = 0; i < 20; ++i) {
    const JobAnswer answered = answer(jobs[static_cast<std::size_t>(i)]);
    EXPECT_EQ(answered.answer.ranking, target("q" + std::to_string(i))) << i;
    EXPECT_EQ(answered.answer.verified_prefix, kItems);
    EXPECT_EQ(answered.answer.windows, std::nullopt);
  }
}

TEST_F(SchedulerTest, AFullQueueRefusesAllOrNothing) {
  start(2, 1);
  const auto held = hold("held");
  const auto waiting = submit("waiting");
  EXPECT_EQ(std::get<Refusal>(scheduler_->submit({request("a"), request("b")})), Refusal::kFull);
  EXPECT_EQ(scheduler_->n_queued(), 1U);
  const auto last = submit("last");
  EXPECT_EQ(std::get<Refusal>(scheduler_->submit({request("c")})), Refusal::kFull);
  EXPECT_GE(scheduler_->retry_after(), 1s);
  gate_.open();
  EXPECT_EQ(answer(last).answer.ranking, target("last"));
  EXPECT_EQ(answer(held).answer.ranking, target("held"));
  EXPECT_EQ(answer(waiting).answer.ranking, target("waiting"));
}

TEST_F(SchedulerTest, ADeadlineThatComesInTheQueueIsKept) {
  start(10, 1);
  const auto held = hold("held");
  const auto deadline = Clock::now() + 30ms;
  const auto job = submit("late", {.deadline = deadline});
  const JobAnswer late = answer(job);
  EXPECT_GE(Clock::now(), deadline);
  EXPECT_EQ(late.answer.ranking, Ranking::identity(kItems));
  EXPECT_EQ(late.answer.encodings, 0U);
  EXPECT_TRUE(late.answer.deadline_hit);
  EXPECT_EQ(scheduler_->n_queued(), 0U);
  gate_.open();
  EXPECT_EQ(answer(held).answer.ranking, target("held"));
}

TEST_F(SchedulerTest, ADeadlineThatComesWithinItsOwnPassIsKept) {
  start(10, 1);
  gate_.shut();
  const JobAnswer late = answer(submit("late", due_in(30ms)));
  EXPECT_TRUE(late.answer.deadline_hit);
  EXPECT_EQ(late.answer.ranking, Ranking::identity(kItems));
}

TEST_F(SchedulerTest, WhoIsDueFirstGoesFirstAndNobodyStarves) {
  start(10, 1);
  const auto held = hold("held");
  const auto now = Clock::now();
  const auto patient = submit("patient", {.arrival = now});
  const auto urgent = submit("urgent", {.deadline = now + kPatience / 2, .arrival = now});
  const auto overdue = submit("overdue", {.arrival = now - 2 * kPatience});
  gate_.open();
  // When each was taken in, counted from `now`.
  const double patient_ms = answer(patient).queue_ms;
  const double urgent_ms = answer(urgent).queue_ms;
  const double overdue_ms =
      answer(overdue).queue_ms - std::chrono::duration<double, std::milli>(2 * kPatience).count();
  EXPECT_LT(overdue_ms, urgent_ms);
  EXPECT_LT(urgent_ms, patient_ms);
  answer(held);
}

TEST_F(SchedulerTest, ADeadlineFarAwayIsNoReasonToStarve) {
  start(10, 1);
  const auto held = hold("held");
  const auto now = Clock::now();
  const auto later = submit("later", {.arrival = now});
  const auto first = submit("first", {.deadline = now + 4 * kPatience, .arrival = now - kPatience});
  gate_.open();
  const double later_ms = answer(later).queue_ms;
  const double first_ms =
      answer(first).queue_ms - std::chrono::duration<double, std::milli>(kPatience).count();
  EXPECT_LT(first_ms, later_ms);
  answer(held);
}

TEST_F(SchedulerTest, AShortJobHasAPlaceBesideLongOnes) {
  start(10, 1);
  const auto held = hold(long_request("held"));
  const auto waiting = submit({long_request("long")}).front();
  const auto job = submit("short");
  gate_.pass_one();  // of the one that is held; then all that are in go on together
  gate_.wait_for_passes(2);
  EXPECT_EQ(scheduler_->n_in_flight(), 2U);
  EXPECT_EQ(scheduler_->n_queued(), 1U);
  gate_.open();
  EXPECT_EQ(answer(job).answer.ranking, target("short"));
  EXPECT_EQ(answer(waiting).answer.ranking, target("long"));
  answer(held);
}

TEST_F(SchedulerTest, AClientThatHangsUpFreesItsPlaceInTheQueue) {
  start(1, 1);
  const auto held = hold("held");
  const auto job = submit("gone");
  EXPECT_TRUE(std::holds_alternative<HungUp>(scheduler_->wait(job, [] { return true; })));
  EXPECT_EQ(scheduler_->n_queued(), 0U);
  const auto next = submit("next");
  gate_.open();
  EXPECT_EQ(answer(next).answer.ranking, target("next"));
  answer(held);
}

TEST_F(SchedulerTest, AClientThatHangsUpFreesItsSlotWithinOneEncoding) {
  start(10, 1);
  const auto held = hold("held");
  EXPECT_TRUE(std::holds_alternative<HungUp>(scheduler_->wait(held, [] { return true; })));
  const auto next = submit("next");
  const std::size_t n_passes = gate_.n_passes();
  gate_.open();
  const Answer outcome = answer(next).answer;
  EXPECT_EQ(outcome.ranking, target("next"));
  EXPECT_LE(gate_.n_passes() - n_passes, outcome.encodings + 1);  // none of them the other's
}

TEST_F(SchedulerTest, AJobThatFailsTakesNoOtherWithIt) {
  start(10, 1);
  engine_->failing_encoding = 0;
  EXPECT_TRUE(std::holds_alternative<Error>(scheduler_->wait(submit("bad"), stays)));
  engine_->failing_encoding.reset();
  EXPECT_EQ(answer(submit("good")).answer.ranking, target("good"));
}

TEST_F(SchedulerTest, DrainingFinishesWhatIsThereAndTakesNoMore) {
  start(10, 1);
  const auto held = hold("held");
  const auto waiting = submit("waiting");
  EXPECT_FALSE(scheduler_->drain(Clock::now() + 5ms));
  EXPECT_EQ(std::get<Refusal>(scheduler_->submit({request("x")})), Refusal::kDraining);
  gate_.open();
  EXPECT_TRUE(scheduler_->drain(Clock::now() + 60s));
  EXPECT_EQ(answer(held).answer.ranking, target("held"));
  EXPECT_EQ(answer(waiting).answer.ranking, target("waiting"));
}

TEST_F(SchedulerTest, StoppingEndsWhatIsLeftThoughAPassIsRunning) {
  start(10, 1);
  const auto held = hold("held");
  const auto waiting = submit("waiting");
  EXPECT_FALSE(scheduler_->stop(Clock::now() + 5ms)) << "the pass is running";
  EXPECT_TRUE(std::holds_alternative<ShutDown>(scheduler_->wait(waiting, stays)));
  EXPECT_TRUE(std::holds_alternative<ShutDown>(scheduler_->wait(held, stays)));
  EXPECT_EQ(std::get<Refusal>(scheduler_->submit({request("x")})), Refusal::kDraining);
  gate_.open();
  EXPECT_TRUE(scheduler_->stop(Clock::now() + 60s));
}

}  // namespace
}  // namespace rsd::server
