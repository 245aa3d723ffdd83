#include "commands/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "options/engine_options.h"
#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/data/request_reader.h"
#include "rsd/models/default_model.h"
#include "rsd/models/prepare.h"
#include "rsd/rank/presentation.h"
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

Result<Preparation> preparation_of(const PrepareFlags& options, const ModelPlaces& places) {
  // choose_type() finds the fastest.
  const auto type = options.type == kFastest ? kDefaultWeightType : parse_weight_type(options.type);
  if (!type) return type.error().within("--type");
  if (options.model.empty() && options.loras.empty()) {
    auto preparation = default_preparation(*type, places);
    if (!preparation || options.output.empty()) return preparation;
    if (auto base = base_model(places); !base) return base.error();
    preparation->output = options.output;
    preparation->cache_folder.clear();
    return preparation;
  }
  if (options.output.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--model and --lora need --output");
  }
  auto loras = parse_loras(options.loras);
  if (!loras) return loras.error();
  auto model = options.model.empty() ? base_model(places) : Result<std::string>(options.model);
  if (!model) return model.error();
  return Preparation{.model = *std::move(model),
                     .model_hash = {},
                     .loras = *std::move(loras),
                     .type = *type,
                     .output = options.output};
}

// Where there are none, there is nothing to rank.
Result<std::vector<Request>> check_requests(const PrepareFlags& options,
                                            const ModelPlaces& places) {
  std::vector<std::string> files = example_requests(places);
  if (!options.check_requests.empty()) files = {options.check_requests};
  std::vector<Request> requests;
  for (const std::string& path : files) {
    auto read = read_requests(path);
    if (!read) return read;
    std::ranges::transform(*read, std::back_inserter(requests), &without_blank_candidates);
  }
  return requests;
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
  Prepare(const PrepareFlags& options, const CommonOptions& common)
      : options_(options), common_(common) {}

  Result<ExitCode> run() {
    auto preparation = preparation_of(options_, places_);
    if (!preparation) return preparation.error();
    preparation_ = *std::move(preparation);
    std::vector<Request> requests;
    if (options_.check_requests != kNoCheck) {
      auto read = check_requests(options_, places_);  // faults are reported before the work
      if (!read) return read.error();
      requests = *std::move(read);
    }
    if (options_.type == kFastest) {
      if (auto chosen = choose_type(requests); !chosen) return chosen.error();
    }
    const auto made = prepare(preparation_, work_options());
    if (!made) return made.error();
    say(preparation_.output + (*made ? " is prepared" : " is there already"));
    if (auto shown = show_agreement(requests); !shown) return shown.error();
    std::cout << preparation_.output << '\n';
    return kSuccess;
  }

 private:
  // For the default model, the choice is stored, and the output is the cache's file of that type.
  Result<void> choose_type(const std::vector<Request>& requests) {
    if (requests.empty()) {
      return Error(
          ErrorCode::kInvalidArgument,
          "--type fastest needs requests to try the types on: --check-requests names them");
    }
    const auto trials = try_types(preparation_, requests, work_options("answers timed"));
    if (!trials) return trials.error().within("trying types");
    preparation_.type = fastest_type(*trials);
    say(describe(*trials));
    say("chosen: " + std::string(to_string(preparation_.type)));
    if (preparation_.cache_folder.empty()) return {};
    auto chosen = default_preparation(preparation_.type, places_);
    if (!chosen) return chosen.error();
    preparation_ = *std::move(chosen);
    return choose_default_type(preparation_.type, places_);
  }

  // Shows an earlier measurement, unless --check-requests names requests.
  Result<void> show_agreement(const std::vector<Request>& requests) const {
    if (options_.check_requests == kNoCheck) return {};
    auto agreement = recorded_agreement(preparation_.output);
    if (!agreement || !options_.check_requests.empty()) {
      if (requests.empty()) {
        say("agreement not measured: the example requests are not there; --check-requests names "
            "others");
        return {};
      }
      auto measured = check_agreement(preparation_, requests, work_options("rankings compared"));
      if (!measured) return measured.error().within("measuring the agreement");
      agreement = *measured;
      if (auto kept = record_agreement(preparation_.output, *agreement); !kept)
        say("it is measured again the next time: " + kept.error().message());
    }
    say("agreement with the model and adapters that it is made of: " + describe(*agreement));
    return {};
  }

  // With a progress bar, which is erased when the options are destroyed.
  PrepareOptions work_options(const std::string& unit = "") const {
    PrepareOptions options{.threads = common_.threads, .log = places_.log};
    if (!unit.empty()) options.on_progress = show_progress(unit);
    return options;
  }

  // For results of this command, which are shown at every log level but off.
  void say(const std::string& text) const {
    if (common_.log_level != "off") std::cerr << "rsd: " << text << '\n';
  }

  const PrepareFlags& options_;
  const CommonOptions& common_;
  const ModelPlaces places_ = model_places();
  Preparation preparation_;
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
