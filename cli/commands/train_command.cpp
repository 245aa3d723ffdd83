#include "commands/commands.h"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "options/engine_options.h"
#include "options/train_options.h"
#include "rsd/core/file.h"
#include "rsd/eval/training_report.h"
#include "rsd/ranker/conditions.h"
#include "rsd/train/training.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

// Loaded when it is first needed: a training from traces can do without.
class LazyLlm final : public TrainingLlm {
 public:
  LazyLlm(const EngineFlags& flags, const CommonOptions& common) : flags_(flags), common_(common) {}

  Result<Conditions> conditions() override {
    auto options = engine_options(flags_, common_);
    if (!options) return options.error();
    auto served = with_served_model(*std::move(options));
    if (!served) return served.error();
    options_ = *std::move(served);
    return engine_conditions(options_);
  }

  Result<std::unique_ptr<PositionScorer>> open(const Request& request) override {
    if (auto loaded = load(); !loaded) return loaded.error();
    auto opened = open_request(*llm_, *prompts_, request);
    if (!opened) return opened.error().within("request \"" + request.id + "\"");
    return std::move(opened->scorer);
  }

  std::string model_name() const override { return llm_->model_name(); }
  std::string short_name() const override {
    if (options_.remote) return llm_->model_name();
    return options_.model.empty() ? "the default model"
                                  : std::filesystem::path(options_.model).filename().string();
  }

 private:
  Result<void> load() {
    if (llm_) return {};
    auto templates = load_templates(options_.prompt_templates);
    if (!templates) return templates.error();
    report_lost_rpc_servers(options_.rpc_servers);
    auto loaded = load_engine(options_);
    if (!loaded) return loaded.error();
    llm_ = *std::move(loaded);
    auto prompts = make_prompts(*llm_, *std::move(templates));
    if (!prompts) return prompts.error();
    prompts_ = *std::move(prompts);
    return {};
  }

  const EngineFlags& flags_;
  const CommonOptions& common_;
  EngineOptions options_;  // with the model that a remote engine serves
  std::unique_ptr<LlmEngine> llm_;
  std::optional<PromptBuilder> prompts_;
};

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

// A progress bar for each stage, with its latest figures.
class StageBars {
 public:
  void show(const TrainingProgress& progress) {
    if (stage_ != progress.stage) {
      bar_.emplace(unit_of(progress.stage), progress.total);
      stage_ = progress.stage;
    }
    bar_->note(note_of(progress));
    bar_->show(progress.done);
  }
  // Before something else is printed.
  void clear() {
    if (bar_) bar_->clear();
  }

 private:
  static std::string unit_of(TrainingStage stage) {
    switch (stage) {
      case TrainingStage::kTraces:
        return "requests traced";
      case TrainingStage::kSupervised:
        return "supervised steps";
      case TrainingStage::kRpo:
        return "RPO steps";
    }
    return "";
  }
  static std::string note_of(const TrainingProgress& progress) {
    std::string note;
    if (const auto& validation = progress.validation) {
      note = "KT " + fixed(validation->kendall_tau) + " (heuristic " +
             fixed(validation->heuristic_kendall_tau) + ")";
    }
    if (const auto& step = progress.step) {
      note = "return " + fixed(step->mean_return) + " (reference " + fixed(step->reference_return) +
             ")";
      if (progress.held_out_return) note += ", held out " + fixed(*progress.held_out_return);
    }
    return note;
  }

  std::optional<TrainingStage> stage_;
  std::optional<ProgressBar> bar_;
};

TrainingOptions training_options(const TrainOptions& options, const CommonOptions& common,
                                 StageBars& bars) {
  TrainingOptions training = options.training;
  training.supervised_loss = options.supervised_loss == "inversions" ? SupervisedLoss::kInversions
                                                                     : SupervisedLoss::kLikelihood;
  training.advantage = options.advantage == "group" ? Advantage::kGroup : Advantage::kReference;
  training.listwise = !options.no_listwise;
  training.round_history = !options.no_history;
  training.seed = common.seed;
  training.threads = common.threads;
  training.log = [&bars, log = log_sink()](LogLevel level, std::string_view line) {
    bars.clear();
    log(level, line);
  };
  return training;
}

// report.html beside the metrics.
Result<void> write_report(const std::string& agent, const std::string& metrics_path) {
  const auto metrics = read_file(metrics_path);
  if (!metrics) return metrics.error();
  const Report report = render_training_report("Training of " + agent, training_figures(*metrics));
  const auto page = std::filesystem::path(metrics_path).replace_filename("report.html");
  if (auto done = write_file_atomically(page.string(), report.html); !done) return done;
  for (const auto& warning : report.warnings)
    log_sink()(LogLevel::kWarning, warning);
  return {};
}

Result<ExitCode> train(const TrainOptions& options, const CommonOptions& common) {
  LazyLlm llm(options.engine, common);
  StageBars bars;
  const auto trained = run_training(training_options(options, common, bars), llm,
                                    [&](const TrainingProgress& progress) { bars.show(progress); });
  bars.clear();
  if (!trained) return trained.error();
  if (auto written = write_report(options.training.out, trained->metrics_path); !written) {
    return written.error();
  }
  std::cout << options.training.out << "\n";
  return trained->n_left_out > 0 ? kSomeFailed : kSuccess;
}

}  // namespace

void add_train_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command =
      add_command(app, selected, "train", "Train the agent that proposes rankings to an LLM");
  add_train_options(*command, *options);
  set_run(*command, selected, [&selected, options] { return train(*options, selected.common); });
}

}  // namespace rsd::cli
