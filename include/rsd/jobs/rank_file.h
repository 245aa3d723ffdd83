// Ranks the requests of a file and writes the answers: `rsd rank`.
#pragma once

#include <cstddef>
#include <string>

#include "rsd/core/result.h"
#include "rsd/data/answer_writer.h"
#include "rsd/data/trec_requests.h"
#include "rsd/jobs/job_seams.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/rank_options.h"

namespace rsd {

struct RankOutputOptions {
  AnswerFormat format = AnswerFormat::kJsonl;
  std::string tag = "rsd";  // the run's name in TREC output
  std::string output{};     // appears when all answers are there; empty: standard output
  bool resume = false;      // goes on where an interrupted run stopped
  std::string trace{};      // a file for the rounds; empty: none
};

// Messages about an option name it as `rsd rank` does, "--requests".
struct RankFileOptions {
  std::string requests{};  // a file of requests, "-" for standard input
  TrecFiles trec{};        // in its place
  std::string previous{};  // answers of an earlier run, which are drafts; empty: none
  RankOutputOptions output{};
};

struct RankFileReport {
  std::size_t n_answered = 0;
  std::size_t n_kept = 0;    // answers of the interrupted run
  std::size_t n_failed = 0;  // requests; each is logged as an error
};

// Ranks several requests at a time, EngineOptions::parallel, and writes the answers in the order of
// the requests. All options and inputs are checked before the model is loaded, and the model is
// loaded before any output. If all requests fail, no output is left. kInvalidArgument: options that
// contradict each other, or a kept answer for another request of the same id; kInvalidInput: no
// requests; else the errors of Ranker::load, of reading the inputs and of writing the outputs.
Result<RankFileReport> rank_file(EngineOptions engine, const RankOptions& options,
                                 const RankFileOptions& files, const JobSeams& seams = {});

}  // namespace rsd
