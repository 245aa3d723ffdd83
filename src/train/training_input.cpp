#include "train/training_input.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "rsd/agent/agent_policy.h"
#include "rsd/core/log_to.h"
#include "rsd/data/request_reader.h"
#include "rsd/rank/presentation.h"
#include "rsd/trace/trace.h"
#include "rsd/train/augment.h"
#include "rsd/train/rpo_names.h"

namespace rsd {
namespace {

constexpr std::size_t kLeastItems = 3;  // with two, the first row decides everything

}  // namespace

std::string shortest_decimal(double value) {
  return nlohmann::json(value).dump();
}

std::string name_of(SupervisedLoss loss) {
  return loss == SupervisedLoss::kInversions ? "inversions" : "likelihood";
}

std::string name_of(Sampled sampled) {
  return name_of_form(kSampledNames, sampled);
}

std::string name_of(ReturnKind kind) {
  return name_of_form(kReturnNames, kind);
}

std::string name_of(Advantage advantage) {
  return name_of_form(kAdvantageNames, advantage);
}

std::string name_of(AdvantageScale scale) {
  return name_of_form(kAdvantageScaleNames, scale);
}

bool supervises(const TrainingOptions& options) {
  return options.init.empty() || options.supervised_only;
}

Result<std::vector<Request>> read_training_requests(const TrainingOptions& options) {
  std::vector<Request> usable;
  std::map<std::string, int> n_of_name;
  std::size_t n_unfit = 0;
  for (const auto& path : options.requests) {
    auto requests = read_requests(path, options.limit);
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
      usable.push_back(varied(request, options.seed));
    }
  }
  const std::string range =
      std::to_string(kLeastItems) + " to " + std::to_string(kMostAgentItems) + " candidates";
  if (!options.requests.empty() && usable.empty()) {
    return Error(ErrorCode::kInvalidInput, "no request has " + range);
  }
  if (n_unfit > 0) {
    log_to(options.log, LogLevel::kWarning,
           std::to_string(n_unfit) + " requests are not used: an agent learns from " + range);
  }
  return usable;
}

Result<AgentFile> starting_agent(const TrainingOptions& options) {
  NetworkShape shape;
  shape.input.listwise = options.listwise;
  shape.input.round_history = options.round_history;
  if (options.init.empty()) {
    auto network = RelevanceNetwork::untrained(shape, options.seed);
    if (!network) return network.error();
    return AgentFile{.network = *std::move(network), .notes = {}};
  }
  auto agent = load_agent(options.init);
  if (!agent) return agent.error();
  const InputOptions& input = agent->network.shape().input;
  if (input.listwise != options.listwise || input.round_history != options.round_history) {
    return Error(ErrorCode::kInvalidArgument, "--no-listwise and --no-history must be as agent " +
                                                  options.init + " was made with");
  }
  return agent;
}

Conditions training_conditions(const TrainingOptions& options, Conditions of_llm) {
  Conditions of = std::move(of_llm);
  for (const auto& path : options.requests)
    of["requests"] += identity_of(path) + "; ";
  for (const auto& path : options.traces)
    of["traces"] += identity_of(path) + "; ";
  if (!options.init.empty()) of["init"] = identity_of(options.init);
  of["held out"] = "an eighth, by query or user";  // another split would leak into this one
  of["limit"] = options.limit ? std::to_string(*options.limit) : "none";
  if (!options.init.empty()) of["supervised"] = supervises(options) ? "yes" : "no";
  of["seed"] = std::to_string(options.seed);
  of["decodings"] = std::to_string(options.decodings);
  of["supervised-steps"] = std::to_string(options.supervised_steps);
  of["supervised-loss"] = name_of(options.supervised_loss);
  of["rpo-steps"] = std::to_string(options.rpo_steps);
  of["rpo-learning-rate"] = shortest_decimal(options.rpo_learning_rate);
  of["requests-per-step"] = std::to_string(options.requests_per_step);
  of["rollouts"] = std::to_string(options.rollouts);
  of["budget"] = std::to_string(options.budget);
  of["beta"] = shortest_decimal(options.beta);
  of["sampled-rounds"] = name_of(options.sampled);
  of["return"] = name_of(options.return_kind);
  of["advantage"] = name_of(options.advantage);
  of["advantage-scale"] = name_of(options.advantage_scale);
  of["listwise"] = options.listwise ? "yes" : "no";
  of["history"] = options.round_history ? "yes" : "no";
  return of;
}

Result<void> TraceEpisodes::read(const std::string& path, const LogSink& log) {
  const auto traces = read_traces(path);
  if (!traces) return traces.error();
  if (auto named = read_trace_model(path); named && model.empty()) {
    model = std::filesystem::path(*named).filename().string();
  }
  std::size_t n_useless = 0;
  bool any_old = false;
  for (const Trace& trace : *traces) {
    any_old = any_old || trace.split_key.empty();
    auto episode = trace.history.n_items() <= kMostAgentItems
                       ? episode_of(trace)
                       : Error(ErrorCode::kInvalidInput, "it is long");
    if (episode) {
      episodes.push_back(*std::move(episode));
    } else {
      ++n_useless;
    }
  }
  if (any_old) {
    log_to(log, LogLevel::kWarning,
           path +
               ": traces lack the field split_key: they are held out by their ids, "
               "and RPO may validate on what they are of");
  }
  if (n_useless > 0) {
    log_to(log, LogLevel::kWarning,
           path + ": " + std::to_string(n_useless) + " of " + std::to_string(traces->size()) +
               " traces are not used: they lack the target ranking, or have more than " +
               std::to_string(kMostAgentItems) + " items");
  }
  if (!episodes.empty()) return {};
  return Error(ErrorCode::kInvalidInput, path + " holds no trace to learn from");
}

}  // namespace rsd
