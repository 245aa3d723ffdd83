#include "rsd/jobs/train_agent.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/file.h"
#include "rsd/core/log_to.h"
#include "rsd/eval/training_report.h"
#include "rsd/ranker/conditions.h"
#include "rsd/ranker/prompted_llm.h"

namespace rsd {
namespace {

// Loaded when it is first needed.
class LazyLlm final : public TrainingLlm {
 public:
  explicit LazyLlm(EngineOptions options) : options_(std::move(options)) {}

  Result<Conditions> conditions() override {
    auto served = with_served_model(options_);
    if (!served) return served.error();
    options_ = *std::move(served);
    return engine_conditions(options_);
  }

  Result<std::unique_ptr<PositionScorer>> open(const Request& request) override {
    if (auto loaded = load(); !loaded) return loaded.error();
    auto opened = loaded_->open(request);
    if (!opened) return opened.error().within("request \"" + request.id + "\"");
    return std::move(opened->scorer);
  }

  std::string model_name() const override { return loaded_->llm->model_name(); }
  std::string short_name() const override {
    if (options_.remote) return model_name();
    return options_.model.empty() ? "the default model"
                                  : std::filesystem::path(options_.model).filename().string();
  }

 private:
  Result<void> load() {
    if (loaded_) return {};
    auto loaded = load_prompted(options_);
    if (!loaded) return loaded.error();
    loaded_.emplace(*std::move(loaded));
    return {};
  }

  EngineOptions options_;  // with the model that a remote engine serves
  std::optional<PromptedLlm> loaded_;
};

Result<void> write_report(const TrainingOptions& options, const std::string& metrics_path) {
  const auto metrics = read_file(metrics_path);
  if (!metrics) return metrics.error();
  const Report report =
      render_training_report("Training of " + options.out, training_figures(*metrics));
  const auto page = std::filesystem::path(metrics_path).replace_filename("report.html");
  if (auto done = write_file_atomically(page.string(), report.html); !done) return done;
  for (const auto& warning : report.warnings)
    log_to(options.log, LogLevel::kWarning, warning);
  return {};
}

}  // namespace

Result<TrainedAgent> train_agent(const EngineOptions& engine, const TrainingOptions& options,
                                 const OnTrainingProgress& on_progress) {
  LazyLlm llm(engine);
  auto trained = run_training(options, llm, on_progress);
  if (!trained) return trained;
  if (auto written = write_report(options, trained->metrics_path); !written) return written.error();
  return trained;
}

}  // namespace rsd
