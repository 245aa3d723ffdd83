#include "rsd/eval/evaluation.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "eval/record_json.h"
#include "eval/records_file.h"
#include "eval/request_measurement.h"
#include "rsd/core/check.h"
#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

Result<void> check_options(const EvaluationOptions& options) {
  RSD_CHECK(options.open != nullptr, "an evaluation without a way to open requests");
  const std::string& name = options.dataset;
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return invalid_argument("dataset name \"" + name + "\" can't be a file's name");
  }
  if (options.order_shuffles == 1) return invalid_argument("one order has none to agree with");
  if (options.requests.empty()) return invalid_argument("dataset " + name + " has no requests");
  std::set<std::string_view> seen;
  for (const Request& request : options.requests) {
    if (!seen.insert(request.id).second) {
      return invalid_argument("dataset " + name + " has the request id \"" + request.id +
                              "\" twice");
    }
  }
  return {};
}

Conditions conditions_of(const EvaluationOptions& options, const std::vector<Setting>& settings) {
  Conditions conditions = options.conditions;
  conditions["dataset"] = options.dataset;
  conditions["shuffle"] = options.shuffle_seed ? std::to_string(*options.shuffle_seed) : "none";
  conditions["order_shuffles"] = std::to_string(options.order_shuffles);
  std::string& listed = conditions["settings"];
  for (const Setting& setting : settings)
    listed += (listed.empty() ? "" : ", ") + to_string(setting);
  return conditions;
}

// Evaluates one dataset: takes the recorded requests, then measures the rest.
class Evaluator {
 public:
  Evaluator(const EvaluationOptions& options, std::vector<Setting> settings)
      : options_(options), settings_(std::move(settings)) {}

  Result<Evaluation> run() {
    if (auto opened = open_records(); !opened) return opened.error();
    Evaluation evaluation{
        .dataset = options_.dataset,
        .settings = settings_,
        .ar_is_listed = std::ranges::count(options_.grid.decoders, DecoderKind::kAr) > 0,
        .shuffle_seed = options_.shuffle_seed,
        .order_shuffles = options_.order_shuffles,
        .relevant_from = options_.relevant_from};
    if (auto done = evaluate_requests(evaluation); !done) return done.error();
    if (evaluation.records.empty()) {
      const FailedRequest& first = evaluation.failed.front();
      return Error(ErrorCode::kInvalidInput, "all " + std::to_string(evaluation.failed.size()) +
                                                 " requests of dataset " + options_.dataset +
                                                 " failed; the first, \"" + first.id +
                                                 "\": " + first.error.message());
    }
    return evaluation;
  }

 private:
  Result<void> open_records() {
    if (options_.records_folder.empty()) return {};
    const std::string path = options_.records_folder + "/" + options_.dataset + ".jsonl";
    const Conditions conditions = conditions_of(options_, settings_);
    EarlierRecords earlier = no_records(conditions);
    if (options_.existing_records == ExistingRecords::kResume) {
      auto found = read_records(path, conditions, settings_);
      if (!found) return found.error();
      earlier = std::move(*found);
    }
    for (RequestRecord& record : earlier.records)
      recorded_[record.id] = std::move(record);
    if (auto known = check_recorded(path); !known) return known;
    auto file = RecordsFile::open(path, earlier.content);
    if (!file) return file.error();
    file_ = std::move(*file);
    return {};
  }

  // The records must be of the requests of this evaluation.
  Result<void> check_recorded(const std::string& path) const {
    for (const Request& request : options_.requests) {
      const auto found = recorded_.find(request.id);
      if (found == recorded_.end()) continue;
      if (found->second.digest != request_digest(with_labels(request))) {
        return invalid_argument(path + " can't be resumed: request \"" + request.id +
                                "\" had other texts or labels then");
      }
    }
    return {};
  }

  Result<void> evaluate_requests(Evaluation& evaluation) {
    for (const Request& request : options_.requests) {
      if (const auto found = recorded_.find(request.id); found != recorded_.end()) {
        evaluation.records.push_back(std::move(found->second));
      } else if (auto record = measure(with_labels(request), options_, settings_); record) {
        if (auto kept = keep(record_to_json(*record, settings_)); !kept) return kept;
        evaluation.records.push_back(std::move(*record));
      } else {
        evaluation.failed.push_back({request.id, record.error()});
        if (auto kept = keep(failure_to_json(evaluation.failed.back())); !kept) return kept;
      }
      if (options_.progress) {
        options_.progress(evaluation.records.size() + evaluation.failed.size(),
                          options_.requests.size());
      }
    }
    return {};
  }

  Result<void> keep(const std::string& line) {
    return file_ ? file_->append(line) : Result<void>();
  }

  Request with_labels(const Request& request) const {
    Request labelled = request;
    if (options_.qrels) {
      const auto found = options_.qrels->find(request.id);
      labelled.relevance =
          found == options_.qrels->end() ? std::map<std::string, int>() : found->second;
    }
    return labelled;
  }

  const EvaluationOptions& options_;
  const std::vector<Setting> settings_;
  std::optional<RecordsFile> file_;
  std::map<std::string, RequestRecord> recorded_;
};

}  // namespace

Result<Evaluation> evaluate(const EvaluationOptions& options) {
  if (auto sound = check_options(options); !sound) return sound.error();
  auto settings = plan_settings(options.grid);
  if (!settings) return settings.error();
  return Evaluator(options, std::move(*settings)).run();
}

}  // namespace rsd
