// The functions of rsd.h on rankers, requests and jobs.
#include "bindings/c/rsd.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <variant>

#include "bindings/c/answer_object.h"
#include "bindings/c/error_object.h"
#include "bindings/c/given_engine.h"
#include "bindings/c/given_request.h"
#include "bindings/c/ranker_object.h"
#include "bindings/c/sized_struct.h"
#include "rsd/version.h"

namespace rsd::bindings {
namespace {

using JobPointer = std::shared_ptr<Job>;

Result<JobPointer> submit(rsd_ranker& ranker, const rsd_request* request,
                          const RankOptions& options) {
  auto given = given_request(request);
  if (!given) return given.error();
  RankOptions own = options;
  own.previous = std::move(given->previous);
  return ranker.thread.submit(std::move(given->request), own);
}

// How a job ended: an answer, or an error; one of them is NULL.
struct Ended {
  rsd_answer* answer = nullptr;
  rsd_error* error = nullptr;
};

Ended ended(Job& job) noexcept {
  try {
    Job::End end = job.take();
    if (auto* ranked = std::get_if<Job::Ranked>(&end)) {
      return {.answer = new rsd_answer(std::move(ranked->answer), std::move(ranked->ids))};
    }
    if (const auto* fault = std::get_if<JobFault>(&end)) {
      if (fault->code == RSD_OUT_OF_MEMORY) return {.error = out_of_memory()};
      return {.error = error_object(fault->code, fault->message.c_str())};
    }
    return {.error = error_object(RSD_INVALID_ARGUMENT, "the job's answer was taken before")};
  } catch (...) {
    return {.error = error_of_exception()};
  }
}

Result<void> check_batch(const rsd_batch& batch) {
  const auto n_requests = given_number(batch.n_requests, "batch.n_requests");
  if (!n_requests) return n_requests.error();
  if (*n_requests == 0) return {};
  if (batch.requests == nullptr) return null_argument("batch.requests");
  if (batch.answers == nullptr) return null_argument("batch.answers");
  if (batch.errors == nullptr) return null_argument("batch.errors");
  return {};
}

// Requests of one call: as many are handed in as keep the LLM busy, and they are waited for in
// their order.
class BatchRanking {
 public:
  BatchRanking(rsd_ranker& ranker, const rsd_batch& batch, const RankOptions& options)
      : ranker_(ranker),
        batch_(batch),
        options_(options),
        n_ahead_(ahead(ranker.thread.ranker().parallel())) {}

  void run() {
    std::fill_n(batch_.answers, batch_.n_requests, nullptr);
    std::fill_n(batch_.errors, batch_.n_requests, nullptr);
    is_cancelled_ = !report(0);
    for (std::size_t i = 0; i < batch_.n_requests; ++i) {
      while (n_submitted_ < batch_.n_requests && n_submitted_ - i < n_ahead_)
        submit_next();
      finish(i);
      if (!is_cancelled_ && !report(i + 1)) cancel();
    }
  }

 private:
  // A deadline counts from when the request is handed in: with one, none waits for a place.
  std::size_t ahead(std::size_t parallel) const {
    return options_.deadline ? parallel : 2 * parallel + 1;
  }

  bool report(std::size_t done) const {
    return batch_.on_progress == nullptr ||
           batch_.on_progress(done, batch_.n_requests, batch_.progress_data) == 0;
  }

  void cancel() {
    is_cancelled_ = true;
    for (const JobPointer& job : jobs_)
      if (job) job->cancel("the progress function cancelled the batch");
  }

  // A request that can't be handed in has its error, and no job.
  void submit_next() {
    const std::size_t i = n_submitted_++;
    jobs_.emplace_back();
    if (is_cancelled_) {
      batch_.errors[i] = error_object(RSD_CANCELLED, "the progress function cancelled the batch");
      return;
    }
    batch_.errors[i] = guarded([&]() -> Result<void> {
      auto job = submit(ranker_, batch_.requests[i], options_);
      if (!job) return job.error();
      jobs_.back() = *std::move(job);
      return {};
    });
  }

  void finish(std::size_t i) {
    const JobPointer job = std::move(jobs_.front());
    jobs_.pop_front();
    if (!job) return;
    const Ended end = ended(*job);
    batch_.answers[i] = end.answer;
    batch_.errors[i] = end.error;
  }

  rsd_ranker& ranker_;
  const rsd_batch& batch_;
  const RankOptions& options_;
  const std::size_t n_ahead_;
  std::deque<JobPointer> jobs_;  // of requests that have not finished; null: it has an error
  std::size_t n_submitted_ = 0;
  bool is_cancelled_ = false;
};

}  // namespace
}  // namespace rsd::bindings

namespace bindings = rsd::bindings;
using rsd::Result;

const char* rsd_version(void) {
  return RSD_VERSION_STRING;
}

rsd_error* rsd_ranker_load(const rsd_engine_options* options, rsd_ranker** ranker) {
  return bindings::guarded([&]() -> Result<void> {
    if (ranker == nullptr) return bindings::null_argument("ranker");
    *ranker = nullptr;
    auto engine = bindings::given_engine(options);
    if (!engine) return engine.error();
    auto loaded = rsd::Ranker::load(engine->options);
    if (!loaded) {
      if (engine->log) engine->log->detach();
      return loaded.error();
    }
    *ranker = new rsd_ranker(*std::move(loaded), {.longest_pass = engine->longest_pass},
                             std::move(engine->log));
    return {};
  });
}

void rsd_ranker_free(rsd_ranker* ranker) {
  if (ranker == nullptr) return;
  if (ranker->log) ranker->log->detach();
  delete ranker;
}

rsd_error* rsd_ranker_get_info(rsd_ranker* ranker, rsd_ranker_info* info) {
  return bindings::guarded([&]() -> Result<void> {
    if (ranker == nullptr) return bindings::null_argument("ranker");
    const rsd::Ranker& from = ranker->thread.ranker();
    const rsd_ranker_info filled{
        .struct_size = sizeof(rsd_ranker_info),
        .model_name = from.model_name().c_str(),
        .context_tokens = from.context_size(),
        .parallel = from.parallel(),
        .max_passages = from.max_candidates(rsd::Task::kPassage),
        .max_recommendations = from.max_candidates(rsd::Task::kRecommendation),
        .reads_relevance = from.reads_relevance(rsd::Task::kPassage) ? 1 : 0};
    return bindings::write_struct(filled, info, "info");
  });
}

rsd_error* rsd_submit(rsd_ranker* ranker, const rsd_request* request,
                      const rsd_rank_options* options, rsd_job** job) {
  return bindings::guarded([&]() -> Result<void> {
    if (job == nullptr) return bindings::null_argument("job");
    *job = nullptr;
    if (ranker == nullptr) return bindings::null_argument("ranker");
    const auto given = bindings::given_rank_options(options);
    if (!given) return given.error();
    auto submitted = bindings::submit(*ranker, request, *given);
    if (!submitted) return submitted.error();
    auto handle = std::make_unique<rsd_job>();
    handle->job = *std::move(submitted);
    *job = handle.release();
    return {};
  });
}

int rsd_job_wait(rsd_job* job, double timeout_ms) {
  return job == nullptr || job->job->wait(timeout_ms) ? 1 : 0;
}

void rsd_job_cancel(rsd_job* job) {
  if (job != nullptr) job->job->cancel("the request was cancelled");
}

rsd_error* rsd_job_take(rsd_job* job, rsd_answer** answer) {
  if (answer == nullptr) return bindings::error_object(RSD_INVALID_ARGUMENT, "answer is NULL");
  *answer = nullptr;
  if (job == nullptr) return bindings::error_object(RSD_INVALID_ARGUMENT, "job is NULL");
  const bindings::Ended end = bindings::ended(*job->job);
  *answer = end.answer;
  return end.error;
}

void rsd_job_free(rsd_job* job) {
  if (job == nullptr) return;
  rsd_job_cancel(job);
  delete job;
}

rsd_error* rsd_rank(rsd_ranker* ranker, const rsd_request* request, const rsd_rank_options* options,
                    rsd_answer** answer) {
  if (answer == nullptr) return bindings::error_object(RSD_INVALID_ARGUMENT, "answer is NULL");
  *answer = nullptr;
  rsd_job* job = nullptr;
  if (rsd_error* error = rsd_submit(ranker, request, options, &job)) return error;
  rsd_error* error = rsd_job_take(job, answer);
  rsd_job_free(job);
  return error;
}

rsd_error* rsd_rank_many(rsd_ranker* ranker, const rsd_batch* batch,
                         const rsd_rank_options* options) {
  return bindings::guarded([&]() -> Result<void> {
    if (ranker == nullptr) return bindings::null_argument("ranker");
    const auto given_batch = bindings::read_struct(batch, "batch");
    if (!given_batch) return given_batch.error();
    if (auto fine = bindings::check_batch(*given_batch); !fine) return fine;
    const auto given = bindings::given_rank_options(options);
    if (!given) return given.error();
    bindings::BatchRanking(*ranker, *given_batch, *given).run();
    return {};
  });
}
