// rsd bench: how fast the decoders are on this machine, and beside other ways to rank.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_bench_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
