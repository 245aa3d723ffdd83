// An answer as a table for people.
#pragma once

#include <string>

#include "rsd/data/answer_writer.h"

namespace rsd {

// A line that names the request, one line a rank, one that sums up, a blank line.
// About 100 columns wide. Texts of the request are printed as one line each, without control
// characters, so they can't reach into the terminal.
std::string format_answer_table(const Request& request, const Answer& answer);

}  // namespace rsd
