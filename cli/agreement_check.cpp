#include "agreement_check.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "engine_options.h"
#include "progress.h"
#include "rsd/core/check.h"
#include "rsd/decode/run.h"
#include "rsd/rank/agreement.h"

namespace rsd::cli {
namespace {

// As --lora takes it.
std::string lora_text(const LoraFile& lora) {
  std::array<char, 32> scale{};
  const auto end = std::to_chars(scale.data(), scale.data() + scale.size(), lora.scale).ptr;
  return lora.path + ":" + std::string(scale.data(), end);
}

// Ranks with one model after the other, under one progress bar.
class Ranker {
 public:
  Ranker(const std::vector<Request>& requests, const CommonOptions& common)
      : requests_(requests), common_(common), progress_("rankings compared", 2 * requests.size()) {}

  Result<std::vector<Ranking>> rank(const EngineOptions& options) {
    auto engine = Engine::load(options, common_);
    if (!engine) return engine.error();
    std::vector<Ranking> rankings;
    for (const Request& request : requests_) {
      progress_.show(n_done_++);
      auto ranking = rank(*engine, request);
      if (!ranking) return ranking.error().within("request \"" + request.id + "\"");
      rankings.push_back(*std::move(ranking));
    }
    return rankings;
  }

 private:
  static Result<Ranking> rank(Engine& engine, const Request& request) {
    auto opened = engine.open(request);
    if (!opened) return opened.error();
    auto decoding = Decoding::create(request.candidates.size(), {.decoder = DecoderKind::kAr});
    if (!decoding) return decoding.error();
    auto outcome = run(*decoding, *opened->scorer);
    if (!outcome) return outcome.error();
    return std::move(outcome->ranking);
  }

  const std::vector<Request>& requests_;
  const CommonOptions& common_;
  ProgressBar progress_;
  std::size_t n_done_ = 0;
};

}  // namespace

std::string describe(const Agreement& agreement) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "Kendall tau %.3f, %.0f %% of %zu rankings identical, %.0f %% of first places",
                agreement.kendall_tau, 100 * agreement.identical, agreement.requests,
                100 * agreement.top_1);
  return text.data();
}

Result<Agreement> check_agreement(const AgreementCheck& check, const CommonOptions& common) {
  RSD_CHECK(!check.requests.empty(), "an agreement without requests");
  EngineOptions unmerged{.model = check.model};
  for (const LoraFile& lora : check.loras)
    unmerged.loras.push_back(lora_text(lora));
  Ranker ranker(check.requests, common);
  const auto expected = ranker.rank(unmerged);
  if (!expected) return expected.error();
  const auto actual = ranker.rank({.model = check.prepared});
  if (!actual) return actual.error();
  Agreement sum{.requests = check.requests.size()};
  for (std::size_t i = 0; i < sum.requests; ++i) {
    const Ranking& a = (*actual)[i];
    const Ranking& b = (*expected)[i];
    sum.kendall_tau += kendall_tau(a, b);
    sum.identical += a == b ? 1 : 0;
    sum.top_1 += a.items().front() == b.items().front() ? 1 : 0;
  }
  const auto count = static_cast<double>(sum.requests);
  return Agreement{.requests = sum.requests,
                   .kendall_tau = sum.kendall_tau / count,
                   .identical = sum.identical / count,
                   .top_1 = sum.top_1 / count};
}

}  // namespace rsd::cli
