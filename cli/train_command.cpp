#include "train_command.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine_options.h"
#include "exit_code.h"
#include "progress.h"
#include "rsd/agent/agent_file.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/core/file.h"
#include "rsd/data/request_reader.h"
#include "rsd/data/resumable_output.h"
#include "rsd/rank/presentation.h"
#include "rsd/train/augment.h"
#include "rsd/train/collect.h"
#include "rsd/train/episode.h"
#include "rsd/train/hold_out.h"
#include "rsd/train/rpo.h"
#include "rsd/train/supervised.h"
#include "train_options.h"
#include "training_folder.h"
#include "training_metrics.h"
#include "training_notes.h"

namespace rsd::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLeastItems = 3;    // with two, the first row tells all
constexpr std::size_t kMostHeldOut = 32;  // requests that RPO validates on, each with every budget

// The stages in their order: traces, supervised initialisation, RPO. Each goes on where an earlier
// run stopped.
class TrainRun {
 public:
  TrainRun(const TrainOptions& options, const CommonOptions& common)
      : options_(options), common_(common), threads_(thread_count(common)) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    if (auto usable = drop_what_does_not_fit(); !usable) return usable.error();
    if (auto some = check_split(); !some) return some.error();
    if (auto begun = folder_->begin(); !begun) return begun.error();
    auto initial = initialise();
    if (!initial) return initial.error();
    auto network = *std::move(initial);
    if (!options_.supervised_only) {
      auto trained = optimise(std::move(network));
      if (!trained) return trained.error();
      network = *std::move(trained);
    }
    const AgentFile agent{.network = std::move(network),
                          .notes = notes().on_top_of(notes_of_init_)};
    if (auto done = write_file_atomically(options_.out, serialised(agent)); !done) {
      return done.error();
    }
    auto warnings = folder_->write_report(options_.out);
    if (!warnings) return warnings.error();
    for (const auto& warning : *warnings)
      spdlog::warn("{}", warning);
    std::cout << options_.out << "\n";
    return some_failed_ ? kSomeFailed : kSuccess;
  }

 private:
  // All input is read before the model is loaded.
  Result<void> prepare() {
    if (options_.requests.empty() && !(options_.supervised_only && !options_.traces.empty())) {
      return Error(ErrorCode::kInvalidArgument,
                   "--requests is missing: only --supervised-only with --traces goes without");
    }
    if (!supervises() && !options_.traces.empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   "--traces is not used: RPO starts from the agent of --init as it is; "
                   "--supervised-only goes on from it with traces");
    }
    if (std::filesystem::is_directory(options_.out)) {
      return Error(ErrorCode::kInvalidArgument, "--out " + options_.out + " is a folder");
    }
    if (auto read = read_all_requests(); !read) return read;
    auto start = starting_network();
    if (!start) return start.error();
    network_.emplace(*std::move(start));
    if (auto sensible =
            RpoTraining::create(*network_, {.n_requests = 1, .open = {}}, rpo_options());
        !sensible) {
      return sensible.error();
    }
    if (!requests_.empty()) {
      auto served = with_served_model(options_.engine);
      if (!served) return served.error();
      engine_options_ = *std::move(served);
    }
    auto conditions = conditions_of_run();
    if (!conditions) return conditions.error();
    auto folder = TrainingFolder::open(options_.out, *conditions);
    if (!folder) return folder.error();
    folder_.emplace(*std::move(folder));
    auto checkpoint = folder_->load();
    if (!checkpoint) return checkpoint.error();
    checkpoint_ = *std::move(checkpoint);
    if (!checkpoint_.initial_weights) {
      for (const auto& path : options_.traces) {
        if (auto read = read_episodes(path); !read) return read;
      }
    }
    return folder_->drop_behind(checkpoint_);
  }

  Result<void> read_all_requests() {
    std::map<std::string, int> n_of_name;
    std::size_t n_unfit = 0;
    for (const auto& path : options_.requests) {
      auto requests = read_requests(path, options_.limit);
      if (!requests) return requests.error();
      std::string set = std::filesystem::path(path).stem().string();
      if (const int n = ++n_of_name[set]; n > 1) set += "#" + std::to_string(n);
      for (Request& request : *requests) {
        request = without_blank_candidates(request);
        request.id = set + "/" + request.id;  // files may use the same ids
        const std::size_t n = request.candidates.size();
        if (n < kLeastItems || n > kMostAgentItems) {
          ++n_unfit;
          continue;
        }
        requests_.push_back(varied(request, common_.seed));
      }
    }
    const std::string range =
        std::to_string(kLeastItems) + " to " + std::to_string(kMostAgentItems) + " candidates";
    if (!options_.requests.empty() && requests_.empty()) {
      return Error(ErrorCode::kInvalidInput, "no request has " + range);
    }
    if (n_unfit > 0) {
      spdlog::warn("{} requests are not used: an agent learns from {}", n_unfit, range);
    }
    return {};
  }

  Result<RelevanceNetwork> starting_network() {
    NetworkShape shape;
    shape.input.listwise = !options_.no_listwise;
    shape.input.round_history = !options_.no_history;
    if (options_.init.empty()) return RelevanceNetwork::untrained(shape, common_.seed);
    auto agent = load_agent(options_.init);
    if (!agent) return agent.error();
    const InputOptions& input = agent->network.shape().input;
    if (input.listwise != shape.input.listwise ||
        input.round_history != shape.input.round_history) {
      return Error(ErrorCode::kInvalidArgument, "--no-listwise and --no-history must be as agent " +
                                                    options_.init + " was made with");
    }
    notes_of_init_ = std::move(agent->notes);
    return std::move(agent->network);
  }

  Result<Conditions> conditions_of_run() const {
    auto told = requests_.empty() ? Result<Conditions>(Conditions{{"rsd", RSD_VERSION}})
                                  : engine_conditions(engine_options_);
    if (!told) return told;
    Conditions& of = *told;
    for (const auto& path : options_.requests)
      of["requests"] += identity_of(path) + "; ";
    for (const auto& path : options_.traces)
      of["traces"] += identity_of(path) + "; ";
    if (!options_.init.empty()) of["init"] = identity_of(options_.init);
    of["held out"] = "an eighth, by query or user";  // another split would leak into this one
    of["limit"] = options_.limit ? std::to_string(*options_.limit) : "none";
    if (!options_.init.empty()) of["supervised"] = supervises() ? "yes" : "no";
    of["seed"] = std::to_string(common_.seed);
    of["decodings"] = std::to_string(options_.decodings);
    of["supervised-steps"] = std::to_string(options_.supervised_steps);
    of["supervised-loss"] = options_.supervised_loss;
    of["rpo-steps"] = std::to_string(options_.rpo_steps);
    of["rpo-learning-rate"] = Json(options_.rpo_learning_rate).dump();
    of["rollouts"] = std::to_string(options_.rollouts);
    of["budget"] = std::to_string(options_.budget);
    of["beta"] = Json(options_.beta).dump();
    of["advantage"] = options_.advantage;
    of["listwise"] = options_.no_listwise ? "no" : "yes";
    of["history"] = options_.no_history ? "no" : "yes";
    return told;
  }

  // Does it learn from traces, or begin with the agent that is given as it is?
  bool supervises() const { return options_.init.empty() || options_.supervised_only; }

  // Of the LLM that is used, or that the traces are of.
  std::string name_of_model() const {
    if (requests_.empty()) return model_of_traces_;
    if (engine_ && !engine_->local_llm()) return engine_->llm().model_name();
    return options_.engine.model.empty()
               ? "the default model"
               : std::filesystem::path(options_.engine.model).filename().string();
  }

  TrainingNotes notes() const {
    return {.options = options_,
            .seed = common_.seed,
            .supervised = supervises(),
            .model = name_of_model()};
  }

  // The LLM, loaded when it is first needed: a training from traces can do without.
  Result<Engine*> engine() {
    if (!engine_) {
      auto loaded = Engine::load(engine_options_, common_);
      if (!loaded) return loaded.error();
      engine_.emplace(*std::move(loaded));
    }
    return &*engine_;
  }

  Result<std::unique_ptr<PositionScorer>> open(const Request& request) {
    auto llm = engine();
    if (!llm) return llm.error();
    auto opened = (*llm)->open(request);
    if (!opened) return opened.error().within("request \"" + request.id + "\"");
    return std::move(opened->scorer);
  }

  // Requests that the LLM can't take (too long, more candidates than identifiers) are told here,
  // not in the middle of the work.
  Result<void> drop_what_does_not_fit() {
    const std::size_t n_before = requests_.size();
    std::vector<Request> usable;
    for (Request& request : requests_) {
      auto opened = open(request);
      if (opened) {
        usable.push_back(std::move(request));
        continue;
      }
      const ErrorCode code = opened.error().code();
      if (code != ErrorCode::kTooLong && code != ErrorCode::kUnsupported &&
          code != ErrorCode::kInvalidInput) {
        return opened.error();
      }
      spdlog::error("{}", opened.error().message());
    }
    requests_ = std::move(usable);
    some_failed_ = requests_.size() < n_before;
    if (requests_.empty() && n_before > 0) {
      return Error(ErrorCode::kInvalidInput, "no request fits the LLM");
    }
    return {};
  }

  // --- traces ------------------------------------------------------------------------------------

  // Of traces that tell their target and something besides it; the others are passed over.
  Result<void> read_episodes(const std::string& path) {
    const auto traces = read_traces(path);
    if (!traces) return traces.error();
    if (auto model = read_trace_model(path); model && model_of_traces_.empty()) {
      model_of_traces_ = std::filesystem::path(*model).filename().string();
    }
    std::size_t n_useless = 0;
    bool any_old = false;
    for (const Trace& trace : *traces) {
      any_old = any_old || trace.split_key.empty();
      auto episode = trace.n_items <= kMostAgentItems
                         ? episode_of(trace)
                         : Error(ErrorCode::kInvalidInput, "it is long");
      if (episode) {
        episodes_.push_back(*std::move(episode));
      } else {
        ++n_useless;
      }
    }
    if (any_old) {
      spdlog::warn(
          "{}: traces don't tell what was asked (split_key): they are held out by their ids, and "
          "RPO may validate on what they are of",
          path);
    }
    if (n_useless > 0) {
      spdlog::warn(
          "{}: {} of {} traces are not used: they don't tell the target ranking, or have "
          "more than {} items",
          path, n_useless, traces->size(), kMostAgentItems);
    }
    if (!episodes_.empty()) return {};
    return Error(ErrorCode::kInvalidInput, path + " holds no trace to learn from");
  }

  // Whole requests' traces that an interrupted run left, and the ids of these requests.
  Result<std::string> kept_traces(std::set<std::string>& ids) const {
    const std::string partial = OutputFile::partial_path(folder_->traces_path());
    if (!std::filesystem::exists(partial)) return std::string();
    auto text = read_file(partial);
    if (!text) return text.error();
    std::size_t n_lines = 0;  // the header is one
    std::size_t begin = 0;
    std::size_t kept = 0;
    for (std::size_t end = text->find('\n'); end != std::string::npos;
         begin = end + 1, end = text->find('\n', begin)) {
      if (n_lines++ % options_.decodings != 0) continue;
      kept = end + 1;
      if (n_lines == 1) continue;
      const auto trace = parse_trace(std::string_view(*text).substr(begin, end - begin));
      if (!trace) return trace.error().within(partial + ":" + std::to_string(n_lines));
      ids.insert(trace->id);
    }
    text->resize(kept);
    return text;
  }

  // A request's traces are written at once, so only the last one's can be incomplete.
  Result<void> collect_traces() {
    if (std::filesystem::exists(folder_->traces_path())) return {};
    std::set<std::string> kept_ids;
    auto kept = kept_traces(kept_ids);
    if (!kept) return kept.error();
    auto llm = engine();
    if (!llm) return llm.error();
    if (kept->empty()) *kept = format_trace_header((*llm)->llm().model_name());
    auto output = OutputFile::open(folder_->traces_path(), *kept);
    if (!output) return output.error();
    const CollectOptions collecting{
        .n_decodings = options_.decodings,
        .budget = options_.budget,
        .seed = common_.seed,
        .agent = options_.init.empty() ? nullptr : agent_policy(*network_)};
    ProgressBar progress("requests traced", requests_.size());
    for (std::size_t n = 0; n < requests_.size(); ++n) {
      progress.show(n);
      if (kept_ids.contains(requests_[n].id)) continue;
      auto scorer = open(requests_[n]);
      if (!scorer) return scorer.error();
      const auto traces = collect(requests_[n], **scorer, collecting);
      if (!traces) return traces.error().within("request \"" + requests_[n].id + "\"");
      std::string lines;
      for (const Trace& trace : *traces)
        lines += format_trace(trace);
      if (auto written = output->write(lines); !written) return written;
    }
    return output->commit();
  }

  // --- supervised initialisation -----------------------------------------------------------------

  Result<RelevanceNetwork> initialise() {
    RelevanceNetwork network = *network_;
    if (checkpoint_.initial_weights) {
      if (auto set = set_weights(network, *checkpoint_.initial_weights); !set) return set.error();
      return network;
    }
    if (supervises()) {
      auto supervised = learn_from_traces(network);
      if (!supervised) return supervised.error();
      network = *std::move(supervised);
    }
    checkpoint_.initial_weights.emplace(network.weights().begin(), network.weights().end());
    checkpoint_.supervised.reset();
    if (auto saved = folder_->save(checkpoint_); !saved) return saved.error();
    return network;
  }

  Result<void> set_weights(RelevanceNetwork& network, const std::vector<float>& weights) const {
    if (weights.size() != network.weights().size()) {
      return Error(ErrorCode::kInvalidInput,
                   folder_->path("checkpoint.cbor") + ": it is of a network of another size");
    }
    std::ranges::copy(weights, network.weights().begin());
    return {};
  }

  Result<RelevanceNetwork> learn_from_traces(const RelevanceNetwork& start) {
    if (!requests_.empty()) {
      if (auto collected = collect_traces(); !collected) return collected.error();
      if (auto read = read_episodes(folder_->traces_path()); !read) return read.error();
    }
    SupervisedOptions options;
    options.loss = options_.supervised_loss == "inversions" ? SupervisedLoss::kInversions
                                                            : SupervisedLoss::kLikelihood;
    options.steps = options_.supervised_steps;
    options.seed = common_.seed;
    options.threads = threads_;
    auto created = SupervisedTraining::create(start, std::move(episodes_), options);
    if (!created) return created.error();
    SupervisedTraining& training = *created;
    if (!training.validates()) {
      spdlog::warn("no trace is of a query or user that is held out: nothing is validated on");
    }
    if (checkpoint_.supervised) {
      if (auto restored = training.restore(*checkpoint_.supervised); !restored) {
        return restored.error().within(folder_->path("checkpoint.cbor"));
      }
    }
    ProgressBar progress("supervised steps", options.steps);
    // The agent that it starts from is one of those that the best is chosen from.
    for (bool begins = !checkpoint_.supervised; begins || !training.finished(); begins = false) {
      if (!begins) {
        const auto step = training.step();
        if (!step) return step.error();
        folder_->record(metrics_of(*step, training.state().step));
      }
      if (training.is_validation_due()) {
        const Validation validation = training.validate();
        folder_->record(metrics_of(validation, training.state().step));
        progress.note("KT " + fixed(validation.kendall_tau) + " (heuristic " +
                      fixed(validation.heuristic_kendall_tau) + ")");
      }
      if (training.state().step % options.validate_every == 0 || training.finished()) {
        checkpoint_.supervised = training.state();
        if (auto saved = folder_->save(checkpoint_); !saved) return saved.error();
      }
      progress.show(training.state().step);
    }
    return training.best();
  }

  // --- RPO ---------------------------------------------------------------------------------------

  RpoOptions rpo_options() const {
    RpoOptions options;
    options.steps = options_.rpo_steps;
    options.rollouts = options_.rollouts;
    options.max_budget = options_.budget;
    options.terms.beta = options_.beta;
    options.learning_rate = options_.rpo_learning_rate;
    options.advantage = options_.advantage == "group" ? Advantage::kGroup : Advantage::kReference;
    options.seed = common_.seed;
    options.threads = threads_;
    return options;
  }

  HoldOut split() const {
    std::vector<std::string> keys;
    keys.reserve(requests_.size());
    for (const Request& request : requests_)
      keys.push_back(split_key(request));
    return hold_out(keys);
  }

  // Told here, not behind the hours of the first stage.
  Result<void> check_split() const {
    if (requests_.empty() || !split().training.empty()) return {};
    return Error(ErrorCode::kInvalidInput,
                 "of " + std::to_string(requests_.size()) +
                     " requests none is left to learn from: all are of queries or users that are "
                     "held out");
  }

  Result<RelevanceNetwork> optimise(RelevanceNetwork initial) {
    const RpoOptions options = rpo_options();
    HoldOut split = this->split();
    if (split.held_out.empty()) {
      spdlog::warn("no request is of a query or user that is held out: RPO validates on none");
    }
    split.held_out.resize(std::min(split.held_out.size(), kMostHeldOut));
    std::vector<std::size_t> order = std::move(split.training);
    order.insert(order.end(), split.held_out.begin(), split.held_out.end());
    RpoEnvironment environment{
        .n_requests = order.size(),
        .n_held_out = split.held_out.size(),
        .open = [&](std::size_t number) { return open(requests_[order[number]]); }};
    auto created = RpoTraining::create(std::move(initial), std::move(environment), options);
    if (!created) return created.error();
    RpoTraining& training = *created;
    if (checkpoint_.rpo) {
      if (auto restored = training.restore(*checkpoint_.rpo); !restored) {
        return restored.error().within(folder_->path("checkpoint.cbor"));
      }
    }
    ProgressBar progress("RPO steps", options.steps);
    std::string validated;
    for (bool begins = !checkpoint_.rpo; begins || !training.finished(); begins = false) {
      progress.show(training.state().step);
      if (!begins) {
        const auto step = training.step();
        if (!step) return step.error();
        folder_->record(metrics_of(*step, training.state().step));
        progress.note("return " + fixed(step->mean_return) + " (reference " +
                      fixed(step->reference_return) + ")" + validated);
      }
      if (training.is_validation_due()) {
        const auto held_out_return = training.validate();
        if (!held_out_return) return held_out_return.error();
        folder_->record(metrics_of_rpo_validation(*held_out_return, training.state().step));
        validated = ", held out " + fixed(*held_out_return);
      }
      checkpoint_.rpo = training.state();
      if (auto saved = folder_->save(checkpoint_); !saved) return saved.error();
    }
    return training.best();
  }

  // --- what is kept ------------------------------------------------------------------------------

  static std::string fixed(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", value);
    return text;
  }

  const TrainOptions& options_;
  const CommonOptions& common_;
  int threads_;
  EngineOptions engine_options_;  // with what a remote engine says of its model
  std::vector<Request> requests_;
  std::vector<Episode> episodes_;
  std::optional<RelevanceNetwork> network_;  // what the training starts from
  std::optional<TrainingFolder> folder_;
  Checkpoint checkpoint_;
  std::optional<Engine> engine_;
  AgentNotes notes_of_init_;
  std::string model_of_traces_;  // as their first file names it
  bool some_failed_ = false;
};

}  // namespace

void add_train_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command =
      add_command(app, selected, "train", "Train the agent that proposes rankings to an LLM");
  add_train_options(*command, *options);
  command->callback([&selected, options] {
    selected.run = [&selected, options]() -> int {
      auto result = TrainRun(*options, selected.common).run();
      return result ? *result : fail(result.error());
    };
  });
}

}  // namespace rsd::cli
