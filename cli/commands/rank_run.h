// The loop of `rsd rank`: reads requests, ranks several at a time, and writes the answers in the
// order of the requests.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "commands/rank_input.h"
#include "commands/rank_output.h"
#include "rsd/core/result.h"
#include "rsd/data/answer_reader.h"
#include "rsd/ranker/rank_options.h"
#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {

// The parts of a run, which outlive it. The output is open.
struct RankParts {
  Ranker& ranker;
  RankInput& input;
  RankOutput& output;
  const RankOptions& options;
  const std::optional<PreviousAnswers>& previous;  // drafts
};

class RankRun {
 public:
  explicit RankRun(const RankParts& parts)
      : parts_(parts), queue_(parts.ranker), progress_("requests", parts.input.n_requests()) {}

  // To be called once. Requests that fail are logged. The exit code is kInvalidInput if all do,
  // kSomeFailed if some do. Errors: the output can't be written, or a kept answer is for another
  // request.
  Result<ExitCode> run();

 private:
  // A request in the queue, until its answer is written.
  struct TakenIn {
    std::shared_ptr<const PreparedRequest> request;
    std::size_t line = 0;
    std::optional<Result<Answer>> answer{};
  };

  std::size_t n_done() const { return n_kept_ + n_answered_ + n_failed_; }
  void take_in();
  std::optional<Request> read_next();
  Result<void> start(const Request& request);
  Result<void> write_finished();
  Result<void> write(const TakenIn& done);
  void note_failure(const Error& error);
  Result<ExitCode> finish();
  void log_prompt_reuse() const;

  RankParts parts_;
  RankingQueue queue_;
  ProgressBar progress_;
  Clock::time_point read_at_;
  std::size_t n_tickets_ = 0;
  std::map<std::size_t, TakenIn> taken_in_;  // by ticket
  std::size_t n_kept_ = 0;
  std::size_t n_answered_ = 0;
  std::size_t n_failed_ = 0;
  std::optional<Error> refusal_;  // ends the run: no further request is taken in
};

}  // namespace rsd::cli
