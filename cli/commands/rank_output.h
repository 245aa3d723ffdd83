// Where `rsd rank` writes: the answers, which an interrupted run keeps, and the traces.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/resumable_output.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

struct OutputFlags {
  std::string format = "jsonl";
  std::string tag = "rsd";
  std::string output;  // empty: standard output
  bool resume = false;
  std::string trace;  // empty: no traces
};

// Called in this order: plan(), read_kept(), open(), write() for each answer, then commit() or
// discard(). Not thread-safe.
class RankOutput {
 public:
  // Opens nothing. kInvalidArgument: flags that contradict each other, or a result that would
  // overwrite one of the input files.
  static Result<RankOutput> plan(const OutputFlags& flags, const std::vector<std::string>& inputs);

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
  bool to_terminal() const;

  Result<void> commit();
  void discard();

 private:
  RankOutput(OutputFlags flags, AnswerFormat format) : flags_(std::move(flags)), format_(format) {}

  OutputFlags flags_;
  AnswerFormat format_;
  KeptAnswers kept_;
  std::optional<ResumableOutput> answers_;
  std::optional<OutputFile> trace_;
  bool is_broken_ = false;
};

}  // namespace rsd::cli
