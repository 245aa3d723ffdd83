// The command `rsd eval`.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_eval_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
