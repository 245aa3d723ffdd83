#include "commands/commands.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "options/decoder_options.h"
#include "options/engine_options.h"
#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/core/file.h"
#include "rsd/data/request_reader.h"
#include "rsd/eval/bench.h"
#include "rsd/rank/presentation.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct BenchOptions {
  EngineFlags engine;
  std::vector<std::string> requests;
  std::size_t limit = 20;
  std::string policy;
  std::string agent;
  std::string shipped;
  std::string out;
};

// An LLM and the prompts for it.
struct LocalLlm {
  std::unique_ptr<LlamaEngine> engine;
  PromptBuilder prompts;

  // Errors of load_local_engine and load_templates.
  static Result<LocalLlm> load(const EngineOptions& options) {
    auto templates = load_templates(options.prompt_templates);
    if (!templates) return templates.error();
    auto engine = load_local_engine(options);
    if (!engine) return engine.error();
    auto prompts = make_prompts(**engine, *std::move(templates));
    if (!prompts) return prompts.error();
    return LocalLlm{.engine = *std::move(engine), .prompts = *std::move(prompts)};
  }
  BenchedLlm benched() { return {.llm = engine.get(), .prompts = &prompts}; }
};

struct BenchedLlms {
  LocalLlm ranking;
  LocalLlm reusing;
  std::unique_ptr<LlamaEngine> shipped;  // nullptr: none
};

class BenchRun {
 public:
  BenchRun(const BenchOptions& options, const Selected& selected)
      : options_(options), selected_(selected) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto llms = load();
    if (!llms) return llms.error();
    BenchSetup setup{.ranking = llms->ranking.benched(),
                     .reusing = llms->reusing.benched(),
                     .shipped = llms->shipped.get(),
                     .policy = policy_,
                     .costs = {}};
    BenchResults results{.model = setup.ranking.llm->model_name(),
                         .shipped_model = setup.shipped ? setup.shipped->model_name() : "",
                         .policy = std::string(policy_->name()),
                         .threads = static_cast<std::size_t>(thread_count(selected_.common)),
                         .command_line = selected_.command_line,
                         .machine = describe_machine(),
                         .files = {}};
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      auto file = bench_file(i, setup);
      if (!file) return file.error();
      if (!file->requests.empty()) results.files.push_back(*std::move(file));
    }
    if (results.files.empty()) return kInvalidInput;
    return write(results);
  }

 private:
  // All input is read before a model is loaded.
  Result<void> prepare() {
    auto policies = named_policies({.names = listed(options_.policy),
                                    .agents = listed(options_.agent),
                                    .places = model_places()});
    if (!policies) return policies.error();
    policy_ = policies->front();
    for (const auto& path : options_.requests) {
      auto reader = RequestReader::open(path);
      if (!reader) return reader.error();
      auto& requests = requests_.emplace_back();
      while (requests.size() < options_.limit) {
        auto request = reader->next();
        if (!request) return request.error();
        if (!request->has_value()) break;
        requests.push_back(without_blank_candidates(**request));
      }
      if (requests.empty()) return Error(ErrorCode::kInvalidInput, path + " holds no request");
    }
    std::error_code failure;
    std::filesystem::create_directories(options_.out, failure);
    if (failure || !std::filesystem::is_directory(options_.out))
      return Error(ErrorCode::kRuntime, "the folder " + options_.out + " can't be made");
    return {};
  }

  // The model that generates its ranking as a text; nullopt: the one that ranks does.
  Result<std::optional<std::string>> shipped_model() const {
    if (!options_.shipped.empty()) return std::optional(options_.shipped);
    if (!options_.engine.model.empty()) return std::optional<std::string>();
    auto base = base_model(model_places());
    if (!base) return base.error();
    return std::optional(*std::move(base));
  }

  Result<BenchedLlms> load() const {
    const auto options = engine_options(options_.engine, selected_.common);
    if (!options) return options.error();
    report_lost_rpc_servers(options->rpc_servers);
    auto ranking = LocalLlm::load(*options);
    if (!ranking) return ranking.error();
    EngineOptions with_memory = *options;
    with_memory.prompt_cache_bytes = std::size_t{256} << 20U;
    auto reusing = LocalLlm::load(with_memory);
    if (!reusing) return reusing.error();
    BenchedLlms llms{
        .ranking = *std::move(ranking), .reusing = *std::move(reusing), .shipped = nullptr};
    auto model = shipped_model();
    if (!model) return model.error();
    if (!*model) return llms;
    EngineOptions as_shipped = *options;
    as_shipped.model = **std::move(model);
    as_shipped.loras.clear();
    as_shipped.prompt_cache_bytes = 0;
    as_shipped.gpu_layers = 0;
    auto shipped = load_local_engine(as_shipped);
    if (!shipped) return shipped.error();
    llms.shipped = *std::move(shipped);
    return llms;
  }

  // A request that can't be measured, such as one whose generated text has no room, is logged.
  Result<BenchedFile> bench_file(std::size_t i, BenchSetup& setup) {
    const auto& path = options_.requests[i];
    BenchedFile file{.name = path == "-" ? "stdin" : std::filesystem::path(path).stem().string(),
                     .requests = {}};
    ProgressBar progress(file.name, requests_[i].size());
    for (std::size_t n = 0; n < requests_[i].size(); ++n) {
      progress.show(n);
      auto benched = bench_request(setup, requests_[i][n], n);
      if (benched) {
        file.requests.push_back(*std::move(benched));
        continue;
      }
      progress.clear();
      spdlog::error("{}: request \"{}\": {}", path, requests_[i][n].id, benched.error().message());
      some_failed_ = true;
    }
    return file;
  }

  Result<ExitCode> write(const BenchResults& results) const {
    const auto folder = std::filesystem::path(options_.out);
    const std::string table = bench_markdown(results);
    for (const auto& [name, text] :
         {std::pair{"bench.json", bench_json(results)}, std::pair{"table.md", table}}) {
      if (auto done = write_file_atomically((folder / name).string(), text); !done)
        return done.error();
    }
    std::cout << table;
    return some_failed_ ? kSomeFailed : kSuccess;
  }

  const BenchOptions& options_;
  const Selected& selected_;
  std::shared_ptr<const RankingPolicy> policy_;
  std::vector<std::vector<Request>> requests_;
  bool some_failed_ = false;
};

}  // namespace

void add_bench_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = add_command(app, selected, "bench",
                                  "Time the decoders on request files, side by side, and beside "
                                  "generating the ranking as text");
  constexpr std::uint64_t kMaxCount = 1'000'000;
  Flags flags(*command);
  flags
      .add({"--requests", "FILE...", "Request files, a JSON object a line"}, options->requests,
           not_empty())
      .required();
  flags.add({"--out", "DIR", "Folder for bench.json and table.md"}, options->out, not_empty())
      .required();
  flags.add({"--limit", "N", "Only the first N requests of each file"}, options->limit,
            whole_number(1, kMaxCount));
  flags.add({"--shipped-model", "FILE",
             "GGUF model that generates its ranking as text, in place of the one that the default "
             "model is made of; with --model there is none without it"},
            options->shipped, not_empty());
  flags.add({"--policy", "NAME", "Policy of rsd and exact; see rsd rank --help"}, options->policy);
  flags.add({"--agent", "FILE", std::string(kAgentHelp)}, options->agent, not_empty());
  add_engine_options(*command, options->engine);
  set_run(*command, selected, [&selected, options] { return BenchRun(*options, selected).run(); });
}

}  // namespace rsd::cli
