// The files of an evaluation: results.json, table.md and report.html.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/eval/results.h"

namespace rsd {

struct ReportOptions {
  std::string gnuplot = "gnuplot";  // the program that draws; found like a shell finds it
};

struct Report {
  std::string html;  // one page without references to other files
  std::vector<std::string>
      warnings;  // what it had to do without: the plots when gnuplot is missing
};

// Runs gnuplot a few times for each dataset; without it the page says that the plots are missing.
Report render_report(const Results& results, const ReportOptions& options = {});

// All three files, each there whole or not at all; `folder` is made if need be. Returns the
// report's warnings. kRuntime when a file can't be written.
Result<std::vector<std::string>> write_results(const Results& results, const std::string& folder,
                                               const ReportOptions& options = {});

}  // namespace rsd
