// `rsd train`: makes an agent for an LLM, from requests.
#pragma once

#include "options/common_options.h"

namespace rsd::cli {

void add_train_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
