// Evaluates decoders on request files and writes the report: `rsd eval`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/jobs/job_seams.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/named_policies.h"

namespace rsd {

// Messages about an option name it as `rsd eval` does.
struct EvaluateFilesOptions {
  std::vector<std::string> requests;  // files; no two of the same name without folder and ending
  std::optional<std::size_t> limit;   // only the first ones of each file
  // The grid of settings, see SettingGrid.
  std::vector<DecoderKind> decoders;
  std::vector<std::size_t> budgets;
  std::vector<std::optional<Draft>> drafts = {std::nullopt};
  PolicyNames policies;
  std::optional<std::uint64_t> shuffle;  // EvaluationOptions::shuffle_seed
  std::size_t order_shuffles = 0;        // EvaluationOptions::order_shuffles
  std::string qrels;                     // judgements in place of the requests' own; empty: none
  int relevant_from = 1;                 // EvaluationOptions::relevant_from
  std::string out;                       // a folder for results.json, table.md and report.html
  bool resume = false;                   // goes on where an interrupted run stopped
  std::string command_line;              // for the report
};

struct EvaluatedFiles {
  std::size_t n_files = 0;   // in the report; 0: there is no report
  std::size_t n_failed = 0;  // requests and files; each is logged as an error
};

// All input is read before the LLM is loaded. A file without a request that can be ranked is an
// error only if it is the only one. Errors of evaluate(), write_results(), load_prompted() and of
// reading the inputs. Cost: see evaluate().
Result<EvaluatedFiles> evaluate_files(EngineOptions engine, const EvaluateFilesOptions& options,
                                      const JobSeams& seams = {});

}  // namespace rsd
