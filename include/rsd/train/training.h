// A whole training, from request files to an agent's file: traces of an LLM's decodings, supervised
// initialisation (supervised.h), RPO (rpo.h). Each stage goes on where an interrupted run stopped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/request.h"
#include "rsd/train/rpo.h"
#include "rsd/train/supervised.h"

namespace rsd {

// Messages about an option name it as `rsd train` does, "--traces".
struct TrainingOptions {
  std::vector<std::string> requests;  // files, a JSON object a line
  std::optional<std::size_t> limit;   // only the first ones of each file
  std::vector<std::string> traces;    // files of traces to learn from besides
  // An agent to start from: the supervised stage is then left out, or with supervised_only goes on
  // from it. Empty: an untrained one.
  std::string init;
  // The agent's file. Beside it, in the folder "<out>.training", are traces, a checkpoint and
  // metrics.jsonl, from which an interrupted training goes on.
  std::string out;
  std::size_t decodings = 4;            // traces of each request
  std::size_t supervised_steps = 3000;  // at most
  SupervisedLoss supervised_loss = SupervisedLoss::kLikelihood;
  bool supervised_only = false;
  std::size_t rpo_steps = 300;
  std::size_t requests_per_step = 2;
  std::size_t rollouts = 6;  // trajectories of a request
  std::size_t budget = 4;    // encodings of a trajectory, at most
  double rpo_learning_rate = 3e-4;
  double beta = 0.002;
  Sampled sampled = Sampled::kAllRounds;
  ReturnKind return_kind = ReturnKind::kSpearman;
  Advantage advantage = Advantage::kReference;
  AdvantageScale advantage_scale = AdvantageScale::kNone;
  bool listwise = true;       // as InputOptions
  bool round_history = true;  // as InputOptions
  std::uint64_t seed = 1;
  int threads = 0;  // of the agent's network; 0 = one per core
  LogSink log;      // warnings, and the errors of requests that are left out
};

// The LLM that an agent is trained for. A training without requests, from traces alone, asks for
// nothing of it.
class TrainingLlm {
 public:
  virtual ~TrainingLlm() = default;

  // What its rankings depend on; called once, when all requests are read and none is opened.
  virtual Result<Conditions> conditions() = 0;
  // Loads the LLM when it is first called. The scorer lives until the next call. kTooLong,
  // kUnsupported and kInvalidInput leave the request out; other errors end the training.
  virtual Result<std::unique_ptr<PositionScorer>> open(const Request& request) = 0;
  // As traces name it, and as an agent's notes do; called after open() only.
  virtual std::string model_name() const = 0;
  virtual std::string short_name() const = 0;
};

enum class TrainingStage { kTraces, kSupervised, kRpo };

struct TrainingProgress {
  TrainingStage stage = TrainingStage::kTraces;
  std::size_t done = 0;  // requests of kTraces, else steps
  std::size_t total = 0;
  std::optional<Validation> validation;   // the last one of kSupervised
  std::optional<RpoTraining::Step> step;  // the last one of kRpo
  std::optional<double> held_out_return;  // of kRpo's last validation
};
// Called on the thread that trains, at each step of a stage. May be empty.
using OnTrainingProgress = std::function<void(const TrainingProgress&)>;

struct TrainedAgent {
  std::string metrics_path;    // metrics.jsonl, see training_figures (rsd/eval)
  std::size_t n_left_out = 0;  // requests that the LLM could not take
};

// Deterministic: the same requests, LLM and options give the same weights on the same machine,
// interrupted or not. One process at a time trains into a folder; others wait. kInvalidArgument: an
// option out of range, options that contradict each other, or a folder that was begun under other
// conditions, which are named; kInvalidInput: requests, traces or an agent that can't be used;
// kNotFound, kRuntime: files that can't be read or written; else the LLM's. Cost: collect(),
// SupervisedTraining and RpoTraining say what theirs is.
Result<TrainedAgent> run_training(const TrainingOptions& options, TrainingLlm& llm,
                                  const OnTrainingProgress& on_progress = {});

}  // namespace rsd
