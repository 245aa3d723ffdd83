#include "options/train_options.h"

#include "options/flags.h"
#include "rsd/train/rpo_names.h"

namespace rsd::cli {
namespace {

constexpr double kMaxBeta = 1000;

void add_data_options(CLI::App& command, TrainOptions& options) {
  TrainingOptions& training = options.training;
  Flags flags(command);
  flags.add({"--requests", "FILE...", "Request files, a JSON object a line"}, training.requests,
            not_empty());
  flags.add({"--limit", "N", "Only the first N requests of each file"}, training.limit,
            whole_number(1, kMaxCount));
  flags.add(
      {"--traces", "FILE...", "Traces to learn from besides, as rsd rank --trace writes them"},
      training.traces, not_empty());
  flags.add({"--init", "FILE",
             "Agent to start from; the supervised stage is then left out, or with "
             "--supervised-only goes on from it"},
            training.init, not_empty());
  flags
      .add({"--out", "FILE",
            "The agent; beside it, in FILE.training, traces, checkpoints and metrics.jsonl, from "
            "which an interrupted training goes on"},
           training.out, not_empty())
      .required();
}

// How RPO samples trajectories, and what it credits them with; the defaults are the paper's.
void add_credit_options(Flags& flags, TrainOptions& options) {
  flags.add(
      {"--sampled-rounds", "NAME",
       "Rankings of a trajectory that are sampled and learned from: all; one (of a round drawn "
       "at random, the others are greedy); one-common-noise (one, the others have the same "
       "noise in all trajectories of the request and in the reference's)"},
      options.sampled, one_of(names_in(kSampledNames)));
  flags.add(
      {"--return", "NAME",
       "Worth of an answer: spearman, inversions (pairs in the right order), or log-error (the "
       "logarithm of the Spearman distance, which tells good answers from better ones)"},
      options.return_kind, one_of(names_in(kReturnNames)));
  flags.add({"--advantage", "NAME",
             "Return minus that of: reference (the supervised agent), group (the mean) or none"},
            options.advantage, one_of(names_in(kAdvantageNames)));
  flags.add({"--advantage-scale", "NAME",
             "none, or deviation: advantages are divided by the standard deviation of the returns "
             "of their request"},
            options.advantage_scale, one_of(names_in(kAdvantageScaleNames)));
}

void add_training_options(CLI::App& command, TrainOptions& options) {
  TrainingOptions& training = options.training;
  Flags flags(command, "Training");
  const auto count = whole_number(1, kMaxCount);
  flags.add({"--decodings", "N", "Traces of each request"}, training.decodings, count);
  flags.add({"--supervised-steps", "N", "At most; it ends when it gains no more"},
            training.supervised_steps, count);
  flags.add({"--supervised-loss", "NAME",
             "likelihood (of the target's order) or inversions (pairs that the agent is expected "
             "to order otherwise than the target)"},
            options.supervised_loss, one_of({"likelihood", "inversions"}));
  flags.add_switch("--supervised-only", "Without RPO", training.supervised_only);
  flags.add({"--rpo-steps", "N", "Updates by RPO"}, training.rpo_steps, count);
  flags.add({"--requests-per-step", "N", "Requests of an update by RPO, each with G trajectories"},
            training.requests_per_step, count);
  flags.add({"--rollouts", "N", "Trajectories of a request, G"}, training.rollouts, count);
  flags.add({"--budget", "N", "Encodings of a trajectory, at most, T"}, training.budget, count);
  flags.add({"--rpo-learning-rate", "R",
             "Of RPO; reached after 10 steps, then falling off to a tenth of it"},
            training.rpo_learning_rate, positive_number(1));
  flags.add({"--beta", "B", "Weight of the divergence from the supervised agent"}, training.beta,
            number_up_to(kMaxBeta));
  add_credit_options(flags, options);
  flags.add_switch("--no-listwise", "The agent sees the first disagreeing row only",
                   options.no_listwise);
  flags.add_switch("--no-history", "The agent sees the last round only", options.no_history);
}

// Options that would be ignored are errors.
void exclude_unused(CLI::App& command) {
  CLI::Option* supervised_only = command.get_option("--supervised-only");
  for (const char* flag :
       {"--rpo-steps", "--rpo-learning-rate", "--requests-per-step", "--rollouts", "--beta",
        "--sampled-rounds", "--return", "--advantage", "--advantage-scale"})
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
