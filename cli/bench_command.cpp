#include "bench_command.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "decoder_options.h"
#include "engine_options.h"
#include "exit_code.h"
#include "model_places.h"
#include "option_checks.h"
#include "progress.h"
#include "rsd/core/file.h"
#include "rsd/data/request_reader.h"
#include "rsd/eval/bench.h"
#include "rsd/rank/presentation.h"

namespace rsd::cli {
namespace {

struct BenchOptions {
  EngineOptions engine;
  std::vector<std::string> requests;
  std::size_t limit = 20;
  std::string policy;
  std::string agent;
  std::string shipped;
  std::string out;
};

class LocalLlm final : public BenchedLlm {
 public:
  explicit LocalLlm(Engine engine) : engine_(std::move(engine)) {}

  LlmEngine& engine() override { return engine_.llm(); }
  Result<Prompt> prompt(const Request& request) const override {
    return engine_.prompts().build(request, engine_.llm().context_size());
  }
  double passes_ms() const override { return engine_.local_llm()->passes_ms(); }
  Result<TextTimes> time_generation(std::span<const TokenId> prompt,
                                    std::span<const TokenId> answer) override {
    const auto times = engine_.local_llm()->time_generation(prompt, answer);
    if (!times) return times.error();
    return TextTimes{.prefill_ms = times->prefill_ms, .decode_ms = times->decode_ms};
  }

 private:
  Engine engine_;
};

struct BenchedLlms {
  LocalLlm ranking;
  LocalLlm reusing;
  std::optional<LocalLlm> shipped;
};

class BenchRun {
 public:
  BenchRun(const BenchOptions& options, const Selected& selected)
      : options_(options), selected_(selected) {}

  Result<ExitCode> run() {
    if (auto prepared = prepare(); !prepared) return prepared.error();
    auto llms = load();
    if (!llms) return llms.error();
    BenchSetup setup{.ranking = &llms->ranking,
                     .reusing = &llms->reusing,
                     .shipped = llms->shipped ? &*llms->shipped : nullptr,
                     .policy = policy_,
                     .costs = {}};
    BenchResults results{.model = setup.ranking->engine().model_name(),
                         .shipped_model = setup.shipped ? setup.shipped->engine().model_name() : "",
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
    auto policies = named_policies(listed(options_.policy), listed(options_.agent));
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

  Result<BenchedLlms> load() const {
    auto ranking = Engine::load(options_.engine, selected_.common);
    if (!ranking) return ranking.error();
    EngineOptions with_memory = options_.engine;
    with_memory.cache_ram = 256;
    auto reusing = Engine::load(with_memory, selected_.common);
    if (!reusing) return reusing.error();
    BenchedLlms llms{.ranking = LocalLlm(*std::move(ranking)),
                     .reusing = LocalLlm(*std::move(reusing)),
                     .shipped = std::nullopt};
    EngineOptions as_shipped;
    as_shipped.model = options_.shipped;
    if (as_shipped.model.empty() && options_.engine.model.empty()) {
      auto base = base_model(model_places());
      if (!base) return base.error();
      as_shipped.model = *std::move(base);
    }
    if (as_shipped.model.empty()) return llms;
    as_shipped.context_size = options_.engine.context_size;
    as_shipped.rpc_servers = options_.engine.rpc_servers;
    as_shipped.tensor_split = options_.engine.tensor_split;
    auto shipped = Engine::load(as_shipped, selected_.common);
    if (!shipped) return shipped.error();
    llms.shipped.emplace(*std::move(shipped));
    return llms;
  }

  // A request that can't be measured, such as one whose generated text has no room, is told.
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
  command->add_option("--requests", options->requests, "Request files, a JSON object a line")
      ->required()
      ->check(not_empty())
      ->type_name("FILE...");
  command->add_option("--out", options->out, "Folder for bench.json and table.md")
      ->required()
      ->check(not_empty())
      ->type_name("DIR");
  command->add_option("--limit", options->limit, "Only the first N requests of each file")
      ->check(whole_number(1, kMaxCount))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--shipped-model", options->shipped,
                   "GGUF model that generates its ranking as text, in place of the one that the "
                   "default model is made of; with --model there is none without it")
      ->check(not_empty())
      ->type_name("FILE");
  command->add_option("--policy", options->policy, "Policy of rsd and exact; see rsd rank --help")
      ->type_name("NAME");
  command->add_option("--agent", options->agent, std::string(kAgentHelp))
      ->check(not_empty())
      ->type_name("FILE");
  add_engine_options(*command, options->engine);
  command->callback([&selected, options] {
    selected.run = [&selected, options]() -> int {
      auto result = BenchRun(*options, selected).run();
      return result ? *result : fail(result.error());
    };
  });
}

}  // namespace rsd::cli
