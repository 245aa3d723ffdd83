// rsd model verify: are the models what they were when they were made?
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_verify_command(CLI::App& model, Selected& selected);

}  // namespace rsd::cli
