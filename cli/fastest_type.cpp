#include "fastest_type.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine_options.h"
#include "progress.h"
#include "rsd/core/check.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "rsd/rank/agreement.h"

namespace rsd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTypes{WeightType::kF16, WeightType::kBf16, WeightType::kQ8_0,
                            WeightType::kQ4_0};

// A folder beside the output that goes with it.
class TrialFolder {
 public:
  static Result<TrialFolder> create(const std::string& output) {
    std::string path = output + ".trials.XXXXXX";
    if (::mkdtemp(path.data())) return TrialFolder(path);
    return Error(ErrorCode::kRuntime,
                 output + " can't be written: " + std::generic_category().message(errno));
  }
  TrialFolder(TrialFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TrialFolder& operator=(TrialFolder&&) = delete;
  ~TrialFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  std::string file(WeightType type) const {
    return (path_ / (std::string(to_string(type)) + ".gguf")).string();
  }

 private:
  explicit TrialFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

struct Measured {
  std::vector<double> answer_ms;
  std::vector<Ranking> rankings;  // of ar
};

Result<Outcome> decode(PositionScorer& scorer, const DecodingOptions& options) {
  auto decoding = Decoding::create(scorer.n_items(), options);
  if (!decoding) return decoding.error();
  return run(*decoding, scorer);
}

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
           const CommonOptions& common, TrialFolder folder)
      : preparation_(preparation),
        requests_(requests),
        common_(common),
        folder_(std::move(folder)),
        progress_("answers timed", 2 * kTypes.size() * requests.size()) {}

  Result<std::vector<TypeTrial>> run() {
    for (std::size_t visit = 0; visit < 2 * kTypes.size(); ++visit) {
      const std::size_t t = visit < kTypes.size() ? visit : 2 * kTypes.size() - 1 - visit;
      Preparation trial = preparation_;
      trial.type = kTypes[t];
      trial.output = folder_.file(kTypes[t]);
      trial.in_cache = false;
      if (auto made = prepare(trial, common_.threads); !made) return made.error();
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
    EngineOptions options;
    options.model = model;
    auto engine = Engine::load(options, common_);
    if (!engine) return engine.error();
    const bool first = measured.rankings.empty();
    for (const Request& request : requests_) {
      progress_.show(n_done_++);
      auto opened = engine->open(request);
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
  const CommonOptions& common_;
  TrialFolder folder_;
  ProgressBar progress_;
  std::size_t n_done_ = 0;
  std::array<Measured, kTypes.size()> measured_;
};

}  // namespace

Result<std::vector<TypeTrial>> try_types(const Preparation& preparation,
                                         const std::vector<Request>& requests,
                                         const CommonOptions& common) {
  RSD_CHECK(!requests.empty(), "types to try without requests");
  try {
    auto folder = TrialFolder::create(preparation.output);
    if (!folder) return folder.error();
    return TypeRace(preparation, requests, common, *std::move(folder)).run();
  } catch (const fs::filesystem_error& failure) {
    return Error(ErrorCode::kRuntime, std::string("can't try types: ") + failure.what());
  }
}

WeightType fastest(const std::vector<TypeTrial>& trials) {
  const TypeTrial* best = &trials.front();
  for (const TypeTrial& trial : trials)
    if (trial.keeps_rankings() && trial.answer_ms < best->answer_ms) best = &trial;
  return best->type;
}

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

}  // namespace rsd::cli
