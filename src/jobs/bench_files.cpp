#include "rsd/jobs/bench_files.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "jobs/job_files.h"
#include "rsd/core/file.h"
#include "rsd/core/log_to.h"
#include "rsd/core/machine.h"
#include "rsd/data/request_reader.h"
#include "rsd/eval/bench.h"
#include "rsd/models/default_model.h"
#include "rsd/rank/presentation.h"
#include "rsd/ranker/prompted_llm.h"

namespace rsd {
namespace {

struct BenchedLlms {
  PromptedLocalLlm ranking;
  PromptedLocalLlm reusing;
  std::unique_ptr<LlamaEngine> shipped;  // nullptr: none
};

// The model that generates its ranking as a text; nullopt: the one that ranks does.
Result<std::optional<std::string>> shipped_model(const EngineOptions& engine,
                                                 const std::string& named) {
  if (!named.empty()) return std::optional(named);
  if (!engine.model.empty()) return std::optional<std::string>();
  auto base = base_model(engine.places);
  if (!base) return base.error();
  return std::optional(*std::move(base));
}

EngineOptions as_shipped(EngineOptions options, std::string model) {
  options.model = std::move(model);
  options.loras.clear();
  options.index = nullptr;  // it is for the model that ranks
  options.gpu_layers = 0;
  return options;
}

Result<BenchedLlms> load(EngineOptions engine, const std::string& named_shipped_model) {
  engine.prompt_cache_bytes = 0;
  auto ranking = load_prompted_local(engine);
  if (!ranking) return ranking.error();
  EngineOptions with_memory = engine;
  with_memory.prompt_cache_bytes = std::size_t{256} << 20U;
  auto reusing = load_prompted_local(with_memory);
  if (!reusing) return reusing.error();
  BenchedLlms llms{
      .ranking = *std::move(ranking), .reusing = *std::move(reusing), .shipped = nullptr};
  auto model = shipped_model(engine, named_shipped_model);
  if (!model) return model.error();
  if (!*model) return llms;
  auto shipped = load_local_engine(as_shipped(engine, **std::move(model)));
  if (!shipped) return shipped.error();
  llms.shipped = *std::move(shipped);
  return llms;
}

BenchedLlm benched(const PromptedLocalLlm& loaded) {
  return {.llm = loaded.llm.get(), .prompts = &loaded.prompts};
}

class BenchRun {
 public:
  BenchRun(const EngineOptions& engine, const BenchFilesOptions& options, const JobSeams& seams)
      : engine_(engine), options_(options), seams_(seams) {}

  Result<BenchedFiles> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto llms = load(engine_, options_.shipped_model);
    if (!llms) return llms.error();
    BenchSetup setup{.ranking = benched(llms->ranking),
                     .reusing = benched(llms->reusing),
                     .shipped = llms->shipped.get(),
                     .policy = policy_,
                     .costs = {}};
    BenchResults results{.model = setup.ranking.llm->model_name(),
                         .shipped_model = setup.shipped ? setup.shipped->model_name() : "",
                         .policy = std::string(policy_->name()),
                         .threads = static_cast<std::size_t>(thread_count(engine_.threads)),
                         .command_line = options_.command_line,
                         .machine = describe_machine(),
                         .files = {}};
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      BenchedFile file = bench_file(i, setup);
      if (!file.requests.empty()) results.files.push_back(std::move(file));
    }
    if (results.files.empty()) return BenchedFiles{.table = "", .n_failed = n_failed_};
    return write(results);
  }

 private:
  Result<void> prepare() {
    auto policies = named_policies(options_.policies);
    if (!policies) return policies.error();
    policy_ = policies->front();
    const RequestLimits limits{.texts = candidate_texts(engine_)};
    for (const auto& path : options_.requests) {
      auto requests = read_requests(path, options_.limit, limits);
      if (!requests) return requests.error();
      for (Request& request : *requests)
        request = without_blank_candidates(request);
      requests_.push_back(*std::move(requests));
    }
    return make_result_folder(options_.out);
  }

  // A request that can't be measured, such as one whose generated text has no room, is logged.
  BenchedFile bench_file(std::size_t i, BenchSetup& setup) {
    const auto& path = options_.requests[i];
    const auto& requests = requests_[i];
    BenchedFile file{.name = dataset_name(path), .requests = {}};
    for (std::size_t n = 0; n < requests.size(); ++n) {
      if (seams_.on_progress) seams_.on_progress(file.name, n, requests.size());
      auto benched = bench_request(setup, requests[n], n);
      if (benched) {
        file.requests.push_back(*std::move(benched));
        continue;
      }
      const Error error = benched.error().within(path + ": request \"" + requests[n].id + "\"");
      log_to(seams_.log, LogLevel::kError, error.message());
      ++n_failed_;
    }
    return file;
  }

  Result<BenchedFiles> write(const BenchResults& results) const {
    const auto folder = std::filesystem::path(options_.out);
    BenchedFiles benched{.table = bench_markdown(results), .n_failed = n_failed_};
    for (const auto& [name, text] :
         {std::pair("bench.json", bench_json(results)), std::pair("table.md", benched.table)}) {
      if (auto done = write_file_atomically((folder / name).string(), text); !done)
        return done.error();
    }
    return benched;
  }

  const EngineOptions& engine_;
  const BenchFilesOptions& options_;
  const JobSeams& seams_;
  std::shared_ptr<const RankingPolicy> policy_;
  std::vector<std::vector<Request>> requests_;
  std::size_t n_failed_ = 0;
};

}  // namespace

Result<BenchedFiles> bench_files(const EngineOptions& engine, const BenchFilesOptions& options,
                                 const JobSeams& seams) {
  return BenchRun(engine, options, seams).run();
}

}  // namespace rsd
