#include "options/train_options.h"

#include <cstdint>

#include "options/option_checks.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxCount = 1'000'000;
constexpr double kMaxBeta = 1000;

void add_data_options(CLI::App& command, TrainOptions& options) {
  command
      .add_option("--requests", options.training.requests, "Request files, a JSON object a line")
      ->check(not_empty())
      ->type_name("FILE...");
  command.add_option("--limit", options.training.limit, "Only the first N requests of each file")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N");
  command
      .add_option("--traces", options.training.traces,
                  "Traces to learn from besides, as rsd rank --trace writes them")
      ->check(not_empty())
      ->type_name("FILE...");
  command
      .add_option("--init", options.training.init,
                  "Agent to start from; the supervised stage is then left out, or with "
                  "--supervised-only goes on from it")
      ->check(not_empty())
      ->type_name("FILE");
  command
      .add_option("--out", options.training.out,
                  "The agent; beside it, in FILE.training, traces, checkpoints and metrics.jsonl, "
                  "from which an interrupted training goes on")
      ->required()
      ->check(not_empty())
      ->type_name("FILE");
}

void add_training_options(CLI::App& command, TrainOptions& options) {
  const std::string group = "Training";
  const auto count = [&](const char* flag, std::size_t& value, const char* text) {
    command.add_option(flag, value, text)
        ->check(whole_number(1, kMaxCount))
        ->capture_default_str()
        ->type_name("N")
        ->group(group);
  };
  count("--decodings", options.training.decodings, "Traces of each request");
  count("--supervised-steps", options.training.supervised_steps,
        "At most; it ends when it gains no more");
  command
      .add_option("--supervised-loss", options.supervised_loss,
                  "likelihood (of the target's order) or inversions (pairs that the agent is "
                  "expected to order otherwise than the target)")
      ->check(one_of({"likelihood", "inversions"}))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command.add_flag("--supervised-only", options.training.supervised_only, "Without RPO")
      ->group(group);
  count("--rpo-steps", options.training.rpo_steps, "Updates by RPO");
  count("--rollouts", options.training.rollouts, "Trajectories of a request, G");
  count("--budget", options.training.budget, "Encodings of a trajectory, at most, T");
  command
      .add_option("--rpo-learning-rate", options.training.rpo_learning_rate,
                  "Of RPO; reached after 10 steps, then falling off to a tenth of it")
      ->check(positive_number(1))
      ->capture_default_str()
      ->type_name("R")
      ->group(group);
  command
      .add_option("--beta", options.training.beta,
                  "Weight of the divergence from the supervised agent")
      ->check(number_up_to(kMaxBeta))
      ->capture_default_str()
      ->type_name("B")
      ->group(group);
  command
      .add_option("--advantage", options.advantage,
                  "reference (over the supervised agent) or group (over the mean)")
      ->check(one_of({"reference", "group"}))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_flag("--no-listwise", options.no_listwise,
                "The agent sees the first disagreeing row only")
      ->group(group);
  command.add_flag("--no-history", options.no_history, "The agent sees the last round only")
      ->group(group);
}

// Options that would be ignored are errors.
void exclude_unused(CLI::App& command) {
  CLI::Option* supervised_only = command.get_option("--supervised-only");
  for (const char* flag :
       {"--rpo-steps", "--rpo-learning-rate", "--rollouts", "--beta", "--advantage"})
    command.get_option(flag)->excludes(supervised_only);
}

}  // namespace

void add_train_options(CLI::App& command, TrainOptions& options) {
  add_data_options(command, options);
  add_training_options(command, options);
  exclude_unused(command);
  add_engine_options(command, options.engine);
  add_remote_options(command, options.engine.remote);
  options.engine.cache_ram = 1024;                        // RPO comes back to every prompt
  options.engine.reuse = PromptReuseMode::kWholePrompts;  // a resumed training ends as any other
  add_cache_option(command, options.engine);
}

}  // namespace rsd::cli
