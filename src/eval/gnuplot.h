// Runs gnuplot, an external program.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Runs `program` (see find_program) on the script, without a shell, without the user's own settings
// and outside the current folder, and returns its standard output. kMissingDependency when there is
// no such program; kRuntime when it fails, with the first line of its error output. Blocks until it
// ends.
Result<std::string> run_gnuplot(const std::string& script, const std::string& program = "gnuplot");

// Quotes the text as a gnuplot string that its content can't break out of: in single quotes gnuplot
// expands neither escapes nor commands.
std::string gnuplot_string(const std::string& text);

}  // namespace rsd
