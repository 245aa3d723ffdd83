// The loop of rank_file(): reads requests, ranks several at a time, and writes the answers in the
// order of the requests. Internal.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "jobs/rank_input.h"
#include "jobs/rank_output.h"
#include "rsd/core/result.h"
#include "rsd/data/answer_reader.h"
#include "rsd/ranker/rank_options.h"
#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"

namespace rsd {

// The parts of a run, which outlive it. The output is open.
struct RankParts {
  Ranker& ranker;
  RankInput& input;
  RankOutput& output;
  const RankOptions& options;
  const std::optional<PreviousAnswers>& previous;  // drafts
  const JobSeams& seams;
};

class RankRun {
 public:
  explicit RankRun(const RankParts& parts) : parts_(parts), queue_(parts.ranker) {}

  // To be called once. Errors: the output can't be written, a kept answer is for another request,
  // or there are no requests.
  Result<RankFileReport> run();

 private:
  // A request in the queue, until its answer is written.
  struct TakenIn {
    std::shared_ptr<const PreparedRequest> request;
    std::size_t line = 0;
    std::optional<Result<Answer>> answer{};
  };

  void show_progress() const;
  void take_in();
  std::optional<Request> read_next();
  Result<void> start(const Request& request);
  Result<void> write_finished();
  Result<void> write(const TakenIn& done);
  void note_failure(const Error& error);
  Result<RankFileReport> finish();
  void log_prompt_reuse() const;

  RankParts parts_;
  RankingQueue queue_;
  Clock::time_point read_at_;
  std::size_t n_tickets_ = 0;
  std::map<std::size_t, TakenIn> taken_in_;  // by ticket
  RankFileReport report_;
  std::optional<Error> refusal_;  // ends the run: no further request is taken in
};

}  // namespace rsd
