// The command `rsd rank`.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_rank_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
