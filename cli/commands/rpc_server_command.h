#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

// `rsd rpc-server`: computes layers of other machines' models.
void add_rpc_server_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
