// Writes the files of an evaluation: results.json, table.md and report.html.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/eval/results.h"

namespace rsd {

struct ReportOptions {
  std::string gnuplot = "gnuplot";  // the plotting program, see find_program() (core/program.h)
};

struct Report {
  std::string html;                   // a self-contained page
  std::vector<std::string> warnings;  // what is missing: the plots without gnuplot
};

// Renders the page. Runs gnuplot a few times per dataset; without it the page states that the plots
// are missing.
Report render_report(const Results& results, const ReportOptions& options = {});

// Writes all three files, each atomically; creates `folder` if needed. Returns the report's
// warnings. kRuntime when a file can't be written.
Result<std::vector<std::string>> write_results(const Results& results, const std::string& folder,
                                               const ReportOptions& options = {});

}  // namespace rsd
