#include "commands/commands.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/models/find_damage.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

// Prints one line per model.
Result<ExitCode> verify(const std::vector<std::string>& models) {
  std::size_t n_damaged = 0;
  for (const auto& model : models) {
    const auto damage = find_damage(model, DamageCheck::kWhole);
    std::cout << model << ": " << (damage ? "damaged: " + *damage : "whole") << '\n';
    n_damaged += damage ? 1 : 0;
  }
  if (n_damaged == 0) return kSuccess;
  return Error(ErrorCode::kInvalidInput,
               std::to_string(n_damaged) + " of " + std::to_string(models.size()) +
                   " models can't be trusted; `rsd model fetch` makes the default model anew, `rsd "
                   "model prepare` others");
}

Result<ExitCode> verify_model(const std::string& model) {
  if (model.empty()) {
    const auto models = cached_models(model_places());
    return models ? verify(*models) : models.error();
  }
  std::error_code failure;
  if (!std::filesystem::exists(model, failure))
    return Error(ErrorCode::kNotFound, "model " + model + " does not exist");
  return verify({model});
}

}  // namespace

void add_verify_command(CLI::App& model, Selected& selected) {
  auto path = std::make_shared<std::string>();
  CLI::App* command =
      add_command(model, selected, "verify",
                  "Compare prepared models, and what the default one is made of, with their "
                  "checksums, to the last byte");
  Flags(*command, "Model")
      .add({"-m,--model", "FILE",
            "Prepared model, beside its FILE.json; without it all in the cache"},
           *path, not_empty());
  set_run(*command, selected, [path] { return verify_model(*path); });
}

}  // namespace rsd::cli
