// Drawing by gnuplot, an external program.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Runs `program` (as of find_program) on the script, without a shell, without the user's own
// settings and outside the current folder, and returns what it writes to standard output.
// kMissingDependency when there is no such program, kRuntime when it fails; the first line of its
// complaint is told. Blocks until it ends.
Result<std::string> run_gnuplot(const std::string& script, const std::string& program = "gnuplot");

// The text as a string of gnuplot's that nothing in it can leave: in single quotes gnuplot expands
// neither escapes nor commands.
std::string gnuplot_string(const std::string& text);

}  // namespace rsd
