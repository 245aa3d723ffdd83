// A run, its topics and its corpus in place of request lines.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "rsd/core/result.h"
#include "rsd/data/trec_requests.h"

namespace rsd::cli {

void add_trec_options(CLI::App& command, TrecFiles& files);

// kInvalidArgument: some of --run, --topics and --corpus without the others, --depth without them.
Result<void> check(const TrecFiles& files);

}  // namespace rsd::cli
