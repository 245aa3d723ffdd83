#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

// `rsd requests`: request lines of a run, topics and a corpus.
void add_requests_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
