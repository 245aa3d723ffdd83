// rsd model prepare
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_prepare_command(CLI::App& model, Selected& selected);

}  // namespace rsd::cli
