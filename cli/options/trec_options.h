// A run, its topics and its corpus in place of request lines.
#pragma once

#include <CLI/App.hpp>

#include "rsd/data/trec_requests.h"

namespace rsd::cli {

void add_trec_options(CLI::App& command, TrecFiles& files);

}  // namespace rsd::cli
