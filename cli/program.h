// The command line of `rsd`: its commands and their flags.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

// Describes them to the parser. Parsing sets `selected`, which must outlive `app`.
void describe_program(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
