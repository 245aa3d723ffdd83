// Threads that share a ranker, cancelling, callbacks.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "bindings/c/c_owned_test.h"

namespace rsd::bindings {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Not;

OwnedJob submit(rsd_ranker* ranker, const rsd_request* request, const rsd_rank_options& options) {
  rsd_job* job = nullptr;
  EXPECT_EQ(message_of(rsd_submit(ranker, request, &options, &job)), "");
  return OwnedJob(job);
}

// A request of 2000 windows, which a test ends long before it is ranked.
rsd_rank_options endless() {
  auto options = budget_of(0);
  options.decoder = "exact";
  options.window_method = "sliding";
  options.window_size = 4;
  options.window_stride = 1;
  return options;
}

TEST(CThreads, AHundredShareARankerAndGetTheirOwnAnswers) {
  constexpr int kThreads = 100;
  constexpr int kRequests = 3;
  const auto ranker = load_tiny();
  std::vector<std::unique_ptr<TextRequest>> requests;
  std::vector<std::vector<std::size_t>> expected;
  for (int r = 0; r < kThreads * kRequests; ++r) {
    requests.push_back(std::make_unique<TextRequest>(3 + r % 7, r));
    expected.push_back(order_of(rank(ranker.get(), requests.back()->get(), budget_of(2)).get()));
  }
  std::atomic<int> n_equal = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int r = t; r < kThreads * kRequests; r += kThreads) {
        const auto options = budget_of(2);
        rsd_answer* answer = nullptr;
        if (rsd_error* error = rsd_rank(ranker.get(), requests[r]->get(), &options, &answer)) {
          ADD_FAILURE() << message_of(error);
          continue;
        }
        const OwnedAnswer owned(answer);
        if (order_of(answer) == expected[r]) ++n_equal;
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(n_equal, kThreads * kRequests);
}

TEST(CJob, GivesItsAnswerOnce) {
  const auto ranker = load_tiny();
  const TextRequest request(5, 1);
  const auto job = submit(ranker.get(), request.get(), budget_of(2));
  EXPECT_EQ(rsd_job_wait(job.get(), -1), 1);
  rsd_answer* answer = nullptr;
  ASSERT_EQ(message_of(rsd_job_take(job.get(), &answer)), "");
  const OwnedAnswer owned(answer);
  EXPECT_EQ(rsd_answer_size(answer), 5);
  EXPECT_THAT(message_of(rsd_job_take(job.get(), &answer)), HasSubstr("taken before"));
  EXPECT_EQ(answer, nullptr);
}

TEST(CJob, IsCancelledFromAnotherThreadWhileOneWaits) {
  const auto ranker = load_tiny();
  const TextRequest request(2000, 1);
  const auto job = submit(ranker.get(), request.get(), endless());
  EXPECT_EQ(rsd_job_wait(job.get(), 0), 0);
  std::thread other([&] { rsd_job_cancel(job.get()); });
  rsd_answer* answer = nullptr;
  EXPECT_EQ(code_of(rsd_job_take(job.get(), &answer)), RSD_CANCELLED);
  EXPECT_EQ(answer, nullptr);
  other.join();
  // The ranker is free for others.
  const TextRequest next(4, 2);
  EXPECT_EQ(rsd_answer_size(rank(ranker.get(), next.get(), budget_of(2)).get()), 4);
}

TEST(CJob, OutlivesItsRanker) {
  auto ranker = load_tiny();
  const TextRequest quick(3, 1);
  const auto answer = rank(ranker.get(), quick.get(), budget_of(1));
  const TextRequest request(2000, 1);
  const auto running = submit(ranker.get(), request.get(), endless());
  ranker.reset();
  rsd_answer* none = nullptr;
  EXPECT_EQ(code_of(rsd_job_take(running.get(), &none)), RSD_CANCELLED);
  EXPECT_EQ(rsd_answer_size(answer.get()), 3);
}

TEST(CJob, HasADeadline) {
  const auto ranker = load_tiny();
  const TextRequest request(2000, 1);
  auto options = endless();
  options.deadline_ms = 20;
  const auto answer = rank(ranker.get(), request.get(), options);
  EXPECT_EQ(info_of(answer.get()).deadline_hit, 1);
  EXPECT_EQ(rsd_answer_size(answer.get()), 2000);
}

struct Calls {
  std::vector<std::size_t> done;
  std::size_t cancel_at = 1000;
};

int on_progress(std::size_t done, std::size_t total, void* data) {
  auto& calls = *static_cast<Calls*>(data);
  EXPECT_EQ(total, 12);
  calls.done.push_back(done);
  return done >= calls.cancel_at ? 1 : 0;
}

class CBatch : public testing::Test {
 protected:
  CBatch() {
    for (int r = 0; r < 12; ++r) {
      requests_.push_back(std::make_unique<TextRequest>(2 + r % 4, r));
      pointers_.push_back(requests_.back()->get());
    }
    batch_.struct_size = sizeof batch_;
    batch_.n_requests = 12;
    batch_.requests = pointers_.data();
    batch_.answers = answers_.data();
    batch_.errors = errors_.data();
    batch_.on_progress = &on_progress;
    batch_.progress_data = &calls_;
  }
  ~CBatch() override {
    for (rsd_answer* answer : answers_)
      rsd_answer_free(answer);
    for (rsd_error* error : errors_)
      rsd_error_free(error);
  }

  Calls calls_;
  std::vector<std::unique_ptr<TextRequest>> requests_;
  std::vector<const rsd_request*> pointers_;
  std::vector<rsd_answer*> answers_{12, nullptr};
  std::vector<rsd_error*> errors_{12, nullptr};
  rsd_batch batch_{};
};

TEST_F(CBatch, HasAnAnswerForEachRequest) {
  const auto ranker = load_tiny({.parallel = 4});
  const auto options = budget_of(2);
  ASSERT_EQ(message_of(rsd_rank_many(ranker.get(), &batch_, &options)), "");
  for (std::size_t r = 0; r < 12; ++r) {
    EXPECT_EQ(errors_[r], nullptr);
    EXPECT_EQ(rsd_answer_size(answers_[r]), 2 + r % 4);
  }
  EXPECT_THAT(calls_.done, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

int take_query_of_second(std::size_t done, std::size_t, void* data) {
  if (done == 1) (*static_cast<TextRequest*>(data))->query = nullptr;
  return 0;
}

// A deadline counts from when a request is handed in, so none may wait there for its turn.
TEST_F(CBatch, WithADeadlineARequestIsHandedInWhenItHasAPlace) {
  const auto ranker = load_tiny();
  batch_.on_progress = &take_query_of_second;
  batch_.progress_data = requests_[1].get();
  auto options = budget_of(1);
  options.deadline_ms = 1e9;
  ASSERT_EQ(message_of(rsd_rank_many(ranker.get(), &batch_, &options)), "");
  EXPECT_EQ(rsd_error_code(errors_[1]),
            RSD_INVALID_INPUT);  // it was read after the first had ended
  EXPECT_NE(answers_[2], nullptr);
}

TEST_F(CBatch, AnErrorConcernsItsRequestAlone) {
  const auto ranker = load_tiny();
  pointers_[3] = nullptr;
  (*requests_[5])->query = nullptr;
  const auto options = budget_of(1);
  ASSERT_EQ(message_of(rsd_rank_many(ranker.get(), &batch_, &options)), "");
  EXPECT_EQ(rsd_error_code(errors_[3]), RSD_INVALID_ARGUMENT);
  EXPECT_EQ(rsd_error_code(errors_[5]), RSD_INVALID_INPUT);
  for (const std::size_t r : {0, 1, 2, 4, 6, 7, 8, 9, 10, 11})
    EXPECT_NE(answers_[r], nullptr);
}

TEST_F(CBatch, IsCancelledByItsProgressFunction) {
  const auto ranker = load_tiny();
  calls_.cancel_at = 4;
  const auto options = budget_of(2);
  ASSERT_EQ(message_of(rsd_rank_many(ranker.get(), &batch_, &options)), "");
  EXPECT_THAT(std::vector(answers_.begin(), answers_.begin() + 4), Each(Not(nullptr)));
  EXPECT_EQ(rsd_error_code(errors_[11]), RSD_CANCELLED);
  EXPECT_EQ(calls_.done.back(), 4);
}

TEST_F(CBatch, CancelledBeforeItsFirstRequestHasNoAnswer) {
  const auto ranker = load_tiny();
  calls_.cancel_at = 0;
  ASSERT_EQ(message_of(rsd_rank_many(ranker.get(), &batch_, nullptr)), "");
  EXPECT_THAT(answers_, Each(nullptr));
  for (const rsd_error* error : errors_)
    EXPECT_EQ(rsd_error_code(error), RSD_CANCELLED);
}

void count_lines(rsd_log_level, const char* line, void* data) {
  EXPECT_STRNE(line, "");
  ++*static_cast<std::atomic<int>*>(data);
}

TEST(CLog, GetsLinesUntilTheRankerIsFreed) {
  std::atomic<int> n_lines = 0;
  rsd_engine_options options{};
  options.log = &count_lines;
  options.log_data = &n_lines;
  auto ranker = load_tiny(options);
  EXPECT_GT(n_lines, 0);
  ranker.reset();
  const int before = n_lines;
  load_tiny();
  EXPECT_EQ(n_lines, before);
}

}  // namespace
}  // namespace rsd::bindings
