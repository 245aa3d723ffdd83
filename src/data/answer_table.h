// Formats an answer as a table for people.
#pragma once

#include <string>

#include "rsd/data/answer_writer.h"

namespace rsd {

// A heading with the request, one line per rank, a summary line, a blank line. About 100 columns
// wide. Texts of the request are printed as one line each, without control characters, so that they
// can't control the terminal.
std::string format_answer_table(const Request& request, const Answer& answer);

}  // namespace rsd
