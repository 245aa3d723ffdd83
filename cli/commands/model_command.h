// The command `rsd model`.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_model_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
