#include "rsd/train/training.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "rsd/agent/agent_file.h"
#include "rsd/core/file.h"
#include "rsd/core/log_to.h"
#include "train/training_input.h"
#include "train/training_notes.h"
#include "train/training_stages.h"

namespace rsd {
namespace {

Result<void> check_options(const TrainingOptions& options) {
  if (options.requests.empty() && !(options.supervised_only && !options.traces.empty())) {
    return Error(ErrorCode::kInvalidArgument,
                 "--requests is missing: only --supervised-only with --traces goes without");
  }
  if (!supervises(options) && !options.traces.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--traces is not used: RPO starts from the agent of --init as it is; "
                 "--supervised-only goes on from it with traces");
  }
  std::error_code failure;
  if (std::filesystem::is_directory(options.out, failure)) {
    return Error(ErrorCode::kInvalidArgument, "--out " + options.out + " is a folder");
  }
  return {};
}

// What stands before the first stage.
struct Beginning {
  TrainingRun run;
  AgentFile agent;  // that the training starts from
  TraceEpisodes traces;
};

// All input is read before the LLM is loaded.
Result<Beginning> begin(const TrainingOptions& options, TrainingLlm& llm,
                        const OnTrainingProgress& on_progress) {
  if (auto sensible = check_options(options); !sensible) return sensible.error();
  auto requests = read_training_requests(options);
  if (!requests) return requests.error();
  auto agent = starting_agent(options);
  if (!agent) return agent.error();
  if (auto sensible =
          RpoTraining::create(agent->network, {.n_requests = 1, .open = {}}, rpo_options(options));
      !sensible) {
    return sensible.error();
  }
  auto of_llm =
      requests->empty() ? Result<Conditions>(Conditions{{"rsd", RSD_VERSION}}) : llm.conditions();
  if (!of_llm) return of_llm.error();
  auto folder = TrainingFolder::open(options.out, training_conditions(options, *std::move(of_llm)),
                                     options.log);
  if (!folder) return folder.error();
  auto checkpoint = folder->load();
  if (!checkpoint) return checkpoint.error();
  TraceEpisodes traces;
  if (!checkpoint->initial_weights) {
    for (const auto& path : options.traces)
      if (auto read = traces.read(path, options.log); !read) return read.error();
  }
  if (auto dropped = folder->drop_after(*checkpoint); !dropped) return dropped.error();
  return Beginning{.run = {.options = options,
                           .llm = llm,
                           .on_progress = on_progress,
                           .folder = *std::move(folder),
                           .checkpoint = *std::move(checkpoint),
                           .requests = *std::move(requests)},
                   .agent = *std::move(agent),
                   .traces = std::move(traces)};
}

// Requests that the LLM can't take (too long, more candidates than identifiers) are reported here,
// not in the middle of the work. Gives their number.
Result<std::size_t> leave_out_what_does_not_fit(TrainingRun& run) {
  const std::size_t n_before = run.requests.size();
  std::vector<Request> usable;
  for (Request& request : run.requests) {
    const auto opened = run.llm.open(request);
    if (opened) {
      usable.push_back(std::move(request));
      continue;
    }
    const ErrorCode code = opened.error().code();
    if (code != ErrorCode::kTooLong && code != ErrorCode::kUnsupported &&
        code != ErrorCode::kInvalidInput) {
      return opened.error();
    }
    log_to(run.options.log, LogLevel::kError, opened.error().message());
  }
  run.requests = std::move(usable);
  if (run.requests.empty() && n_before > 0) {
    return Error(ErrorCode::kInvalidInput, "no request fits the LLM");
  }
  return n_before - run.requests.size();
}

// Found here, not after the hours of the first stage.
Result<void> check_split(const std::vector<Request>& requests) {
  if (requests.empty() || !split_of(requests).training.empty()) return {};
  return Error(ErrorCode::kInvalidInput,
               "of " + std::to_string(requests.size()) +
                   " requests none is left to learn from: all are of queries or users that are "
                   "held out");
}

Result<void> set_weights(RelevanceNetwork& network, const std::vector<float>& weights,
                         const std::string& source) {
  if (weights.size() != network.weights().size()) {
    return Error(ErrorCode::kInvalidInput, source + ": it is of a network of another size");
  }
  std::ranges::copy(weights, network.weights().begin());
  return {};
}

// The agent that RPO starts from.
Result<RelevanceNetwork> initialise(Beginning& begun) {
  TrainingRun& run = begun.run;
  RelevanceNetwork network = begun.agent.network;
  if (run.checkpoint.initial_weights) {
    auto set =
        set_weights(network, *run.checkpoint.initial_weights, run.folder.path("checkpoint.cbor"));
    if (!set) return set.error();
    return network;
  }
  if (supervises(run.options)) {
    if (!run.requests.empty()) {
      if (auto collected = collect_traces(run, network); !collected) return collected.error();
      auto read = begun.traces.read(run.folder.traces_path(), run.options.log);
      if (!read) return read.error();
    }
    auto supervised = learn_from_traces(run, network, std::move(begun.traces.episodes));
    if (!supervised) return supervised.error();
    network = *std::move(supervised);
  }
  run.checkpoint.initial_weights.emplace(network.weights().begin(), network.weights().end());
  run.checkpoint.supervised.reset();
  if (auto saved = run.folder.save(run.checkpoint); !saved) return saved.error();
  return network;
}

}  // namespace

HoldOut split_of(const std::vector<Request>& requests) {
  std::vector<std::string> keys;
  keys.reserve(requests.size());
  for (const Request& request : requests)
    keys.push_back(split_key(request));
  return hold_out(keys);
}

Result<TrainedAgent> run_training(const TrainingOptions& options, TrainingLlm& llm,
                                  const OnTrainingProgress& on_progress) {
  auto begun = begin(options, llm, on_progress);
  if (!begun) return begun.error();
  TrainingRun& run = begun->run;
  const auto n_left_out = leave_out_what_does_not_fit(run);
  if (!n_left_out) return n_left_out.error();
  if (auto some = check_split(run.requests); !some) return some.error();
  if (auto holds = run.folder.begin(); !holds) return holds.error();
  auto network = initialise(*begun);
  if (network && !options.supervised_only) network = optimise(run, *std::move(network));
  if (!network) return network.error();
  const TrainingNotes notes{.options = options,
                            .model = run.requests.empty() ? begun->traces.model : llm.short_name()};
  const AgentFile agent{.network = *std::move(network),
                        .notes = notes.on_top_of(std::move(begun->agent.notes))};
  if (auto done = write_file_atomically(options.out, serialised(agent)); !done) return done.error();
  return TrainedAgent{.metrics_path = run.folder.metrics_path(), .n_left_out = *n_left_out};
}

}  // namespace rsd
