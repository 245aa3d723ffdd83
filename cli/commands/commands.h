// The commands of `rsd`. Each function adds one, with its flags, to the program or to a parent
// command.
#pragma once

#include <CLI/App.hpp>

#include "options/common_options.h"

namespace rsd::cli {

void add_rank_command(CLI::App& app, Selected& selected);
void add_eval_command(CLI::App& app, Selected& selected);
void add_bench_command(CLI::App& app, Selected& selected);
void add_train_command(CLI::App& app, Selected& selected);
void add_serve_command(CLI::App& app, Selected& selected);
void add_model_command(CLI::App& app, Selected& selected);
void add_verify_command(CLI::App& model, Selected& selected);   // rsd model verify
void add_prepare_command(CLI::App& model, Selected& selected);  // rsd model prepare
void add_prompt_command(CLI::App& app, Selected& selected);
void add_index_command(CLI::App& app, Selected& selected);
void add_requests_command(CLI::App& app, Selected& selected);
void add_rpc_server_command(CLI::App& app, Selected& selected);

}  // namespace rsd::cli
