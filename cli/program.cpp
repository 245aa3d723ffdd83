#include "program.h"

#include <memory>

#include "commands/commands.h"
#include "terminal/help.h"

namespace rsd::cli {

void describe_program(CLI::App& app, Selected& selected) {
  app.name("rsd");
  app.description("Ranks candidates with an LLM in a fixed number of encodings");
  app.formatter(std::make_shared<HelpFormatter>());  // which commands inherit
  app.require_subcommand(1);
  app.set_version_flag("--version", "rsd " RSD_VERSION, "Show the version and exit");
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_config("--config", "", "Take options from this TOML file, a section a command")
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  add_rank_command(app, selected);
  add_eval_command(app, selected);
  add_bench_command(app, selected);
  add_train_command(app, selected);
  add_serve_command(app, selected);
  add_model_command(app, selected);
  add_prompt_command(app, selected);
  add_requests_command(app, selected);
  add_index_command(app, selected);
  add_rpc_server_command(app, selected);
}

}  // namespace rsd::cli
