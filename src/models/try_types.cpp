#include <algorithm>
#include <array>
#include <utility>

#include "models/loaded_model.h"
#include "models/work_folder.h"
#include "rsd/core/check.h"
#include "rsd/decode/policies.h"
#include "rsd/models/prepare.h"
#include "rsd/rank/agreement.h"

namespace rsd {
namespace {

constexpr std::array kTypes{WeightType::kF16, WeightType::kBf16, WeightType::kQ8_0,
                            WeightType::kQ4_0};

std::string file_of(const WorkFolder& folder, WeightType type) {
  return folder.file(std::string(to_string(type)) + ".gguf");
}

struct Measured {
  std::vector<double> answer_ms;
  std::vector<Ranking> rankings;  // of ar
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double mean_agreement(const std::vector<Ranking>& a, const std::vector<Ranking>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += kendall_tau(a[i], b[i]);
  return sum / static_cast<double>(a.size());
}

class TypeRace {
 public:
  TypeRace(const Preparation& preparation, const std::vector<Request>& requests,
           const PrepareOptions& options, WorkFolder folder)
      : preparation_(preparation),
        requests_(requests),
        options_(options),
        folder_(std::move(folder)) {}

  Result<std::vector<TypeTrial>> run() {
    for (std::size_t visit = 0; visit < 2 * kTypes.size(); ++visit) {
      const std::size_t t = visit < kTypes.size() ? visit : 2 * kTypes.size() - 1 - visit;
      Preparation trial = preparation_;
      trial.type = kTypes[t];
      trial.output = file_of(folder_, kTypes[t]);
      trial.cache_folder.clear();
      if (auto made = prepare(trial, options_); !made) return made.error();
      if (auto done = measure(trial.output, measured_[t]); !done) return done.error();
    }
    std::vector<TypeTrial> trials;
    trials.reserve(kTypes.size());
    for (std::size_t t = 0; t < kTypes.size(); ++t) {
      trials.push_back(
          {.type = kTypes[t],
           .answer_ms = median(measured_[t].answer_ms),
           .kendall_tau = mean_agreement(measured_[t].rankings, measured_.front().rankings)});
    }
    return trials;
  }

 private:
  Result<void> measure(const std::string& model, Measured& measured) {
    auto loaded = load_model(model, {}, options_);
    if (!loaded) return loaded.error();
    const bool first = measured.rankings.empty();
    for (const Request& request : requests_) {
      if (options_.on_progress)
        options_.on_progress(n_done_++, 2 * kTypes.size() * requests_.size());
      const auto opened = open_request(*loaded->llm, loaded->prompts, request);
      if (!opened) return opened.error().within("request \"" + request.id + "\"");
      const auto answer = decode(*opened->scorer, {.decoder = DecoderKind::kRsd,
                                                   .budget = 2,
                                                   .draft = std::nullopt,
                                                   .first_proposal = std::nullopt,
                                                   .top_n = std::nullopt,
                                                   .policy = blend_policy()});
      if (!answer) return answer.error();
      measured.answer_ms.push_back(answer->timing.total_ms);
      if (!first) continue;
      auto target = decode(*opened->scorer, {.decoder = DecoderKind::kAr});
      if (!target) return target.error();
      measured.rankings.push_back(std::move(target->ranking));
    }
    return {};
  }

  const Preparation& preparation_;
  const std::vector<Request>& requests_;
  const PrepareOptions& options_;
  WorkFolder folder_;
  std::size_t n_done_ = 0;
  std::array<Measured, kTypes.size()> measured_;
};

}  // namespace

Result<std::vector<TypeTrial>> try_types(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const PrepareOptions& options) {
  RSD_CHECK(!requests.empty(), "types to try without requests");
  auto folder = WorkFolder::make_locked(preparation.output + ".trials");
  if (!folder) {
    return Error(ErrorCode::kRuntime,
                 preparation.output + " can't be written: " + folder.error().message());
  }
  return TypeRace(preparation, requests, options, *std::move(folder)).run();
}

WeightType fastest_type(const std::vector<TypeTrial>& trials) {
  const TypeTrial* best = &trials.front();
  for (const TypeTrial& trial : trials)
    if (trial.keeps_rankings() && trial.answer_ms < best->answer_ms) best = &trial;
  return best->type;
}

}  // namespace rsd
