// Where answers are written, which an interrupted run keeps, and the traces. Internal.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/data/resumable_output.h"
#include "rsd/jobs/rank_file.h"
#include "rsd/rank/request.h"

namespace rsd {

// Called in this order: plan(), read_kept(), open(), write() for each answer, then commit() or
// discard(). Not thread-safe.
class RankOutput {
 public:
  // Opens nothing. kInvalidArgument: options that contradict each other, or a result that would
  // overwrite one of the input files.
  static Result<RankOutput> plan(const RankOutputOptions& options,
                                 const std::vector<std::string>& inputs);

  // With --resume, reads the answers of the interrupted run. Errors of read_kept_answers.
  Result<void> read_kept(const Conditions& conditions);
  const KeptAnswers& kept() const noexcept { return kept_; }
  // True if the answer to this request is kept. kInvalidArgument: the kept answer is for another
  // request of this id.
  Result<bool> has(const Request& request) const;

  // `model` is the LLM's name, for the traces. Errors of OutputFile::open.
  Result<void> open(const Conditions& conditions, const std::string& model);
  // kInvalidInput: the format can't express the request, which is the only one affected. After
  // kRuntime, is_broken() is true and no answer can be written any more.
  Result<void> write(const Request& request, const Answer& answer);
  bool is_broken() const noexcept { return is_broken_; }
  bool to_standard_output() const { return answers_->to_standard_output(); }

  Result<void> commit();
  void discard();

 private:
  explicit RankOutput(RankOutputOptions options) : options_(std::move(options)) {}

  RankOutputOptions options_;
  KeptAnswers kept_;
  std::optional<ResumableOutput> answers_;
  std::optional<OutputFile> trace_;
  bool is_broken_ = false;
};

}  // namespace rsd
