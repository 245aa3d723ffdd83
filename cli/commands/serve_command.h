// `rsd serve`: ranks over HTTP.
#pragma once

#include "options/common_options.h"

namespace rsd::cli {

void add_serve_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
