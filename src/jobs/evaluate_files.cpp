#include "rsd/jobs/evaluate_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "jobs/job_files.h"
#include "rsd/core/log_to.h"
#include "rsd/core/machine.h"
#include "rsd/data/request_reader.h"
#include "rsd/eval/evaluation.h"
#include "rsd/eval/report.h"
#include "rsd/eval/results.h"
#include "rsd/rank/presentation.h"
#include "rsd/ranker/conditions.h"
#include "rsd/ranker/prompted_llm.h"

namespace rsd {
namespace {

Result<SettingGrid> grid_of(const EvaluateFilesOptions& options) {
  SettingGrid grid{.decoders = options.decoders,
                   .budgets = options.budgets,
                   .policies = {},
                   .drafts = options.drafts};
  if (std::ranges::any_of(grid.decoders, uses_policy)) {
    auto policies = named_policies(options.policies);
    if (!policies) return policies.error();
    grid.policies = *std::move(policies);
  }
  if (auto settings = plan_settings(grid); !settings) return settings.error();
  return grid;
}

// Evaluates one file after the other and writes the report.
class FilesEvaluation {
 public:
  FilesEvaluation(EngineOptions engine, const EvaluateFilesOptions& options, const JobSeams& seams)
      : engine_(std::move(engine)), options_(options), seams_(seams) {}

  Result<EvaluatedFiles> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto llm = load_prompted(engine_);
    if (!llm) return llm.error();
    Results results = describe(*llm);
    for (std::size_t i = 0; i < datasets_.size(); ++i)
      if (auto added = add_file(i, *llm, results); !added) return added.error();
    const EvaluatedFiles evaluated{.n_files = results.datasets.size(), .n_failed = n_failed_};
    if (results.datasets.empty()) return evaluated;
    auto warnings = write_results(results, options_.out);
    if (!warnings) return warnings.error();
    for (const auto& warning : *warnings)
      log_to(seams_.log, LogLevel::kWarning, warning);
    return evaluated;
  }

 private:
  Result<void> prepare() {
    auto grid = grid_of(options_);
    if (!grid) return grid.error();
    grid_ = *std::move(grid);
    if (!options_.qrels.empty()) {
      auto qrels = read_qrels(options_.qrels);
      if (!qrels) return qrels.error();
      qrels_ = *std::move(qrels);
    }
    auto served = with_served_model(std::move(engine_));
    if (!served) return served.error();
    engine_ = *std::move(served);
    if (auto set = set_conditions(); !set) return set;
    if (auto distinct = check_names(); !distinct) return distinct;
    const RequestLimits limits{.texts = candidate_texts(engine_)};
    for (const auto& path : options_.requests)
      if (auto read = read_dataset(path, limits); !read) return read;
    return make_result_folder(options_.out);
  }

  Result<void> set_conditions() {
    auto conditions = engine_conditions(engine_);
    if (!conditions) return conditions.error();
    conditions_ = *std::move(conditions);
    conditions_["threads"] = std::to_string(engine_.threads);
    conditions_["qrels"] = options_.qrels;
    if (grid_.policies.empty()) return {};
    for (const auto& agent : agent_files(options_.policies))
      conditions_["agent"] += identity_of(agent) + "; ";
    return {};
  }

  Result<void> check_names() const {
    std::set<std::string> names;
    for (const auto& path : options_.requests) {
      if (names.insert(dataset_name(path)).second) continue;
      return Error(ErrorCode::kInvalidArgument, "two request files have the name \"" +
                                                    dataset_name(path) +
                                                    "\", which is all that a report names them by");
    }
    return {};
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
    log_to(seams_.log, LogLevel::kError, error.message());
    ++n_failed_;
  }

  Results describe(const PromptedLlm& llm) const {
    return {.model = llm.llm->model_name(),
            .threads = static_cast<std::size_t>(thread_count(engine_.threads)),
            .rsd_version = RSD_VERSION,
            .command_line = options_.command_line,
            .machine = describe_machine(),
            .shuffle_seed = options_.shuffle,
            .datasets = {}};
  }

  // If no request of a file can be ranked, the other files still have figures.
  Result<void> add_file(std::size_t i, const PromptedLlm& llm, Results& results) {
    const std::string& path = options_.requests[i];
    auto evaluation = evaluate(evaluation_options(i, llm));
    if (!evaluation) {
      const Error error = evaluation.error().within(path);
      if (error.code() != ErrorCode::kInvalidInput || datasets_.size() == 1) return error;
      note_failure(error);
      return {};
    }
    for (const auto& failed : evaluation->failed)
      note_failure(failed.error.within(path + ": request \"" + failed.id + "\""));
    results.datasets.push_back(aggregate(*evaluation));
    const DatasetResults& dataset = results.datasets.back();
    if (qrels_ && !dataset.target.target) {
      log_to(seams_.log, LogLevel::kWarning,
             options_.qrels + " judges no request of " + dataset.name);
    }
    return {};
  }

  EvaluationOptions evaluation_options(std::size_t i, const PromptedLlm& llm) {
    const std::string name = dataset_name(options_.requests[i]);
    return {
        .dataset = name,
        .requests = std::move(datasets_[i]),
        .grid = grid_,
        .open = [&llm](const Request& request) { return llm.open(request); },
        .shuffle_seed = options_.shuffle,
        .order_shuffles = options_.order_shuffles,
        .qrels = qrels_,
        .relevant_from = options_.relevant_from,
        .records_folder = (std::filesystem::path(options_.out) / "records").string(),
        .existing_records = options_.resume ? ExistingRecords::kResume : ExistingRecords::kReplace,
        .conditions = conditions_,
        .progress =
            [this, name](std::size_t done, std::size_t total) {
              if (seams_.on_progress) seams_.on_progress(name, done, total);
            }};
  }

  EngineOptions engine_;  // with the model that a remote engine serves
  const EvaluateFilesOptions& options_;
  const JobSeams& seams_;
  SettingGrid grid_;
  Conditions conditions_;
  std::optional<Qrels> qrels_;
  std::vector<std::vector<Request>> datasets_;
  std::size_t n_failed_ = 0;
};

}  // namespace

Result<EvaluatedFiles> evaluate_files(EngineOptions engine, const EvaluateFilesOptions& options,
                                      const JobSeams& seams) {
  return FilesEvaluation(std::move(engine), options, seams).run();
}

}  // namespace rsd
