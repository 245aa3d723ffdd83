// Measures what the requests of files cost by each way of ranking them: `rsd bench`.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/jobs/job_seams.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/named_policies.h"

namespace rsd {

struct BenchFilesOptions {
  std::vector<std::string> requests;  // files
  std::size_t limit = 20;             // requests of each file, the first ones
  PolicyNames policies;               // the first is that of rsd and exact
  // The model that generates its ranking as a text. Empty: the LLM that the default model is made
  // of, or none if EngineOptions::model names another model.
  std::string shipped_model;
  std::string out;           // a folder for bench.json and table.md
  std::string command_line;  // for the report
};

struct BenchedFiles {
  std::string table;         // the content of table.md; empty if no request could be measured
  std::size_t n_failed = 0;  // requests; each is logged as an error
};

// All input is read before an LLM is loaded. kInvalidInput: a file without requests;
// kInvalidArgument: a remote LLM; kRuntime: the folder can't be written; else the errors of reading
// the inputs and of load_prompted_local. Cost: see bench_request(); two copies of the model in
// memory, and the shipped one.
Result<BenchedFiles> bench_files(const EngineOptions& engine, const BenchFilesOptions& options,
                                 const JobSeams& seams = {});

}  // namespace rsd
