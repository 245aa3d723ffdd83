#include "commands/commands.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/data/request_reader.h"
#include "rsd/eval/evaluation.h"
#include "rsd/eval/report.h"
#include "rsd/eval/results.h"
#include "rsd/rank/presentation.h"
#include "rsd/ranker/conditions.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

constexpr std::uint64_t kMaxCount = 1'000'000;

struct EvalOptions {
  EngineFlags engine;
  std::vector<std::string> requests;
  std::vector<std::string> decoders{"ar", "std", "sd", "exact", "rsd"};
  std::vector<std::size_t> budgets{1, 2, 3, 4};
  std::vector<std::string> policies;  // none = the agents, see named_policies
  std::vector<std::string> agents;
  std::vector<std::string> drafts;  // none = each decoder's default
  std::optional<std::uint64_t> shuffle;
  std::size_t order_shuffles = 2;
  std::string qrels;
  std::optional<std::size_t> limit;
  std::string out;
  bool resume = false;
};

// Looks up each name.
template <class Value, class Lookup>
Result<std::vector<Value>> look_up(const std::vector<std::string>& names, Lookup lookup) {
  std::vector<Value> values;
  for (const auto& name : names) {
    auto value = lookup(name);
    if (!value) return value.error();
    values.push_back(*std::move(value));
  }
  return values;
}

PolicyNames policy_names(const EvalOptions& options) {
  return {.names = options.policies, .agents = options.agents, .places = model_places()};
}

Result<SettingGrid> grid_of(const EvalOptions& options) {
  SettingGrid grid{.budgets = options.budgets};
  auto decoders = look_up<DecoderKind>(options.decoders, parse_decoder);
  if (!decoders) return decoders.error();
  const bool with_policies = std::ranges::any_of(*decoders, uses_policy);
  auto policies = with_policies ? named_policies(policy_names(options)) : Policies();
  if (!policies) return policies.error();
  auto drafts = look_up<Draft>(options.drafts, parse_draft);
  if (!drafts) return drafts.error();
  grid.decoders = *std::move(decoders);
  grid.policies = *std::move(policies);
  if (!drafts->empty()) grid.drafts.assign(drafts->begin(), drafts->end());
  if (auto settings = plan_settings(grid); !settings) return settings.error();
  return grid;
}

// Evaluates one file after the other and writes the report.
class EvalRun {
 public:
  EvalRun(const EvalOptions& options, const Selected& selected)
      : options_(options), selected_(selected) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto templates = load_templates(engine_options_.prompt_templates);
    if (!templates) return templates.error();
    report_lost_rpc_servers(engine_options_.rpc_servers);
    auto llm = load_engine(engine_options_);
    if (!llm) return llm.error();
    llm_ = *std::move(llm);
    auto prompts = make_prompts(*llm_, *std::move(templates), engine_options_.index.get());
    if (!prompts) return prompts.error();
    prompts_ = *std::move(prompts);
    Results results = describe();
    for (std::size_t i = 0; i < datasets_.size(); ++i) {
      const std::string& path = options_.requests[i];
      auto evaluation = evaluate_file(i);
      if (!evaluation) {
        const Error error = evaluation.error().within(path);
        // If no request of a file can be ranked, the other files still have figures.
        if (error.code() != ErrorCode::kInvalidInput || datasets_.size() == 1) return error;
        note_failure(error);
        continue;
      }
      for (const auto& failed : evaluation->failed) {
        note_failure(failed.error.within(path + ": request \"" + failed.id + "\""));
      }
      results.datasets.push_back(aggregate(*evaluation));
      warn_about_labels(results.datasets.back());
    }
    if (results.datasets.empty()) return kInvalidInput;
    auto warnings = write_results(results, options_.out);
    if (!warnings) return warnings.error();
    for (const auto& warning : *warnings) {
      spdlog::warn("{}", warning);
    }
    std::cout << options_.out << "/report.html\n";
    return some_failed_ ? kSomeFailed : kSuccess;
  }

 private:
  // All input is read before the model is loaded.
  Result<void> prepare() {
    auto grid = grid_of(options_);
    if (!grid) return grid.error();
    grid_ = *std::move(grid);
    if (!options_.qrels.empty()) {
      auto qrels = read_qrels(options_.qrels);
      if (!qrels) return qrels.error();
      qrels_ = *std::move(qrels);
    }
    auto engine = engine_options(options_.engine, selected_.common);
    if (!engine) return engine.error();
    auto served = with_served_model(*std::move(engine));
    if (!served) return served.error();
    engine_options_ = *std::move(served);
    auto conditions = engine_conditions(engine_options_);
    if (!conditions) return conditions.error();
    conditions_ = *std::move(conditions);
    conditions_["threads"] = std::to_string(selected_.common.threads);
    conditions_["qrels"] = options_.qrels;
    if (!grid_.policies.empty()) {
      for (const auto& agent : agent_files(policy_names(options_)))
        conditions_["agent"] += identity_of(agent) + "; ";
    }
    const RequestLimits limits{.texts = candidate_texts(engine_options_)};
    for (const auto& path : options_.requests) {
      if (auto read = read_dataset(path, limits); !read) return read;
    }
    std::vector<std::string> names;
    for (const auto& path : options_.requests) {
      if (std::ranges::find(names, name_of(path)) != names.end()) {
        return Error(ErrorCode::kInvalidArgument, "two request files have the name \"" +
                                                      name_of(path) +
                                                      "\", by which a report tells them apart");
      }
      names.push_back(name_of(path));
    }
    return make_folder();
  }

  // Reads the valid lines of a file; the others are logged.
  Result<void> read_dataset(const std::string& path, const RequestLimits& limits) {
    auto reader = RequestReader::open(path, limits);
    if (!reader) return reader.error();
    std::vector<Request>& requests = datasets_.emplace_back();
    while (!options_.limit || requests.size() < *options_.limit) {
      auto request = reader->next();
      if (!request) {
        note_failure(request.error());
        continue;
      }
      if (!request->has_value()) break;
      requests.push_back(without_blank_candidates(**request));
    }
    if (!requests.empty()) return {};
    return Error(ErrorCode::kInvalidInput, path + " holds no request that can be ranked");
  }

  void note_failure(const Error& error) {
    spdlog::error("{}", error.message());
    some_failed_ = true;
  }

  // An --out that can't be written is reported before the work, not after it.
  Result<void> make_folder() const {
    std::error_code failure;
    std::filesystem::create_directories(options_.out, failure);
    if (!failure && std::filesystem::is_directory(options_.out)) return {};
    return Error(ErrorCode::kRuntime, "the folder " + options_.out + " can't be made" +
                                          (failure ? ": " + failure.message() : ": it is a file"));
  }

  void warn_about_labels(const DatasetResults& dataset) const {
    if (qrels_ && !dataset.target.target) {
      spdlog::warn("{} judges no request of {}", options_.qrels, dataset.name);
    }
  }

  static std::string name_of(const std::string& path) {
    return path == "-" ? "stdin" : std::filesystem::path(path).stem().string();
  }

  Results describe() const {
    return {.model = llm_->model_name(),
            .threads = static_cast<std::size_t>(thread_count(selected_.common)),
            .rsd_version = RSD_VERSION,
            .command_line = selected_.command_line,
            .machine = describe_machine(),
            .shuffle_seed = options_.shuffle,
            .datasets = {}};
  }

  Result<Evaluation> evaluate_file(std::size_t i) {
    const std::string name = name_of(options_.requests[i]);
    ProgressBar progress(name, datasets_[i].size());
    const EvaluationOptions evaluation{
        .dataset = name,
        .requests = std::move(datasets_[i]),
        .grid = grid_,
        .open = [this](const Request& request) { return open_request(*llm_, *prompts_, request); },
        .shuffle_seed = options_.shuffle,
        .order_shuffles = options_.order_shuffles,
        .qrels = qrels_,
        .records_folder = (std::filesystem::path(options_.out) / "records").string(),
        .existing_records = options_.resume ? ExistingRecords::kResume : ExistingRecords::kReplace,
        .conditions = conditions_,
        .progress = [&progress](std::size_t done, std::size_t) { progress.show(done); }};
    return evaluate(evaluation);
  }

  const EvalOptions& options_;
  const Selected& selected_;
  EngineOptions engine_options_;  // with the model that a remote engine serves
  std::unique_ptr<LlmEngine> llm_;
  std::optional<PromptBuilder> prompts_;
  SettingGrid grid_;
  Conditions conditions_;
  std::optional<Qrels> qrels_;
  std::vector<std::vector<Request>> datasets_;
  bool some_failed_ = false;
};

void add_options(CLI::App& command, EvalOptions& options) {
  Flags flags(command);
  flags
      .add({"--requests", "FILE...", "Request files, a JSON object a line"}, options.requests,
           not_empty())
      .required();
  flags
      .add({"--out", "DIR", "Folder for results.json, table.md, report.html"}, options.out,
           not_empty())
      .required();
  flags.add({"--qrels", "FILE", "TREC judgements in place of the requests' own"}, options.qrels,
            not_empty());
  flags.add({"--limit", "N", "Only the first N requests of each file"}, options.limit,
            whole_number(1, kMaxCount));
  flags.add({"--shuffle", "SEED", "Shuffle the candidates of each request, by this seed"},
            options.shuffle, whole_number(0, std::numeric_limits<std::uint64_t>::max()));
  flags
      .add({"--order-shuffles", "K",
            "On how many shuffled orders of each request ar is run, to see whether they agree; "
            "0 = none"},
           options.order_shuffles, whole_number(0, kMaxCount))
      .check([](const std::string& text) {
        return text == "1" ? std::string("1 is not allowed: one order has none to agree with") : "";
      });
  flags.add_switch("--resume", "Go on where an interrupted run into --out stopped", options.resume);
}

void add_grid_options(CLI::App& command, EvalOptions& options) {
  Flags flags(command, "Decoding");
  flags.add_list(
      {"--decoders", "LIST", "Which, among ar, std, sd, exact, rsd; ar is always the target"},
      options.decoders);
  flags.add_list({"--budgets", "LIST", "Encodings for rsd and sd (which also runs to the end)"},
                 options.budgets, whole_number(1, kMaxCount));
  flags.add_list({"--policy,--policies", "LIST", "Policies for rsd and exact; see rsd rank --help"},
                 options.policies);
  flags.add_repeated({"--agent", "FILE",
                      std::string(kAgentHelp) + "; may be given several times, to compare them"},
                     options.agents, not_empty());
  flags.add_list(
      {"--draft", "LIST", "Which, among first-token, input; without it each decoder's default"},
      options.drafts);
}

}  // namespace

void add_eval_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command = add_command(app, selected, "eval",
                                  "Compare decoders on request files: agreement, encodings, time");
  add_options(*command, *options);
  add_grid_options(*command, *options);
  add_engine_options(*command, options->engine);
  add_index_option(*command, options->engine);
  add_remote_options(*command, options->engine.remote);
  set_run(*command, selected, [&selected, options] { return EvalRun(*options, selected).run(); });
}

}  // namespace rsd::cli
