#include "commands/commands.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "options/engine_options.h"
#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/models/prepare_checked.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

struct PrepareFlags {
  std::string model;
  std::vector<std::string> loras;
  std::string type = std::string(to_string(kDefaultWeightType));
  std::string output;
  std::string check_requests;
};

constexpr const char* kNoCheck = "none";
constexpr const char* kFastest = "fastest";

Result<Preparation> preparation_of(const PrepareFlags& flags, const ModelPlaces& places) {
  // The fastest is chosen later.
  const auto type = flags.type == kFastest ? kDefaultWeightType : parse_weight_type(flags.type);
  if (!type) return type.error().within("--type");
  auto loras = parse_loras(flags.loras);
  if (!loras) return loras.error();
  return complete({.model = flags.model,
                   .model_hash = {},
                   .loras = *std::move(loras),
                   .type = *type,
                   .output = flags.output},
                  places);
}

// "Kendall tau 0.987, 75 % of 12 rankings identical, 100 % of first places"
std::string describe(const ModelAgreement& agreement) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "Kendall tau %.3f, %.0f %% of %zu rankings identical, %.0f %% of first places",
                agreement.kendall_tau, 100 * agreement.identical, agreement.requests,
                100 * agreement.top_1);
  return text.data();
}

// One line per trial.
std::string describe(const std::vector<TypeTrial>& trials) {
  std::string text;
  for (const TypeTrial& trial : trials) {
    std::array<char, 160> line{};
    std::snprintf(
        line.data(), line.size(), "%s%-5s %7.0f ms an answer, Kendall tau with f16 %.3f%s",
        text.empty() ? "" : "\n", std::string(to_string(trial.type)).c_str(), trial.answer_ms,
        trial.kendall_tau, trial.keeps_rankings() ? "" : ": does not keep the rankings");
    text += line.data();
  }
  return text;
}

class Prepare {
 public:
  Prepare(const PrepareFlags& flags, const CommonOptions& common)
      : flags_(flags), common_(common) {}

  Result<ExitCode> run() {
    auto preparation = preparation_of(flags_, places_);
    if (!preparation) return preparation.error();
    preparation_ = *std::move(preparation);
    if (is_checked()) {
      auto read = check_requests(flags_.check_requests, places_);  // faults come before the work
      if (!read) return read.error();
      requests_ = *std::move(read);
    }
    if (flags_.type == kFastest)
      if (auto chosen = choose_type(); !chosen) return chosen.error();
    const auto made = prepare(preparation_, work_options());
    if (!made) return made.error();
    print_note(common_, preparation_.output + (*made ? " is prepared" : " is there already"));
    if (auto shown = show_agreement(); !shown) return shown.error();
    std::cout << preparation_.output << '\n';
    return kSuccess;
  }

 private:
  bool is_checked() const { return flags_.check_requests != kNoCheck; }

  Result<void> choose_type() {
    const auto trials =
        choose_fastest_type(preparation_, requests_, places_, work_options("answers timed"));
    bars_.clear();
    if (!trials) return trials.error();
    print_note(common_, describe(*trials));
    print_note(common_, "chosen: " + std::string(to_string(preparation_.type)));
    return {};
  }

  // Shows an earlier measurement, unless --check-requests names requests.
  Result<void> show_agreement() {
    if (!is_checked()) return {};
    auto agreement = recorded_agreement(preparation_.output);
    if (!agreement || !flags_.check_requests.empty()) {
      if (requests_.empty()) {
        print_note(
            common_,
            "agreement not measured: the example requests are not there; --check-requests names "
            "others");
        return {};
      }
      const auto measured =
          measure_agreement(preparation_, requests_, work_options("rankings compared"));
      bars_.clear();
      if (!measured) return measured.error();
      agreement = *measured;
    }
    print_note(common_,
               "agreement with the model and adapters that it is made of: " + describe(*agreement));
    return {};
  }

  PrepareOptions work_options(const std::string& unit = "") {
    PrepareOptions options{.threads = common_.threads, .log = bars_.log_sink()};
    if (!unit.empty()) options.on_progress = bars_.on_progress(unit);
    return options;
  }

  const PrepareFlags& flags_;
  const CommonOptions& common_;
  const ModelPlaces places_ = model_places();
  ProgressBars bars_;
  Preparation preparation_;
  std::vector<Request> requests_;
};

void add_options(CLI::App& command, PrepareFlags& options) {
  Flags flags(command, "Model");
  flags.add({"-m,--model", "FILE", "GGUF model to prepare; without it the default model's LLM"},
            options.model, not_empty());
  flags.add_repeated(
      {"--lora", "FILE[:SCALE]",
       "GGUF LoRA adapter to merge; may be given several times. Without --model and --lora the "
       "project's own adapter is merged, which makes the default model"},
      options.loras, not_empty());
  flags.add({"--type", "NAME",
             "Type of the weights: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0, or fastest: "
             "the one that answers fastest on this machine among f16, bf16, q8_0 and q4_0, if its "
             "rankings are those of f16, or nearly; for the default model the choice is kept, "
             "without one it is of type " +
                 std::string(to_string(kDefaultWeightType))},
            options.type);
  flags.add({"--output", "FILE",
             "File for the prepared model, which appears when it is complete, with FILE.json "
             "about it; needed with --model or --lora, else it goes to the cache"},
            options.output, not_empty());
  flags.add({"--check-requests", "FILE",
             "Requests to measure on how well the result's rankings agree with the model and "
             "adapters that it is made of; none = don't; without it rsd's examples"},
            options.check_requests, not_empty());
}

}  // namespace

void add_prepare_command(CLI::App& model, Selected& selected) {
  auto options = std::make_shared<PrepareFlags>();
  CLI::App* command = add_command(
      model, selected, "prepare",
      "Merge adapters into a model once and store it for speed; prints the result's path");
  add_options(*command, *options);
  set_run(*command, selected,
          [&selected, options] { return Prepare(*options, selected.common).run(); });
}

}  // namespace rsd::cli
